"""Which pairs of methods differ, as one square of signs and colours; each cell says its sentence to those who ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal

from finefit.analysis.decisions import SEPARATED, Verdict

Better = Literal["lower", "higher", "neither"]  # which of two values of a score is the better one
Pairs = Mapping[tuple[str, str], Verdict]  # what is supported of an ordered pair of methods
SIGNS = {  # of the row's method beside the column's: what is seen, and what is heard
    "lower": ("−", "lower than"),
    "higher": ("+", "higher than"),
    "equal within the margin": ("=", "equal within the margin to"),
    "not separated": ("·", "not separated from"),
}


def matrix(supported_of: Pairs, names: Sequence[str], metric: str, better: Better = "lower") -> str:
    """A square of what pairs of `names` support, the row's method beside the column's; what is missing stays empty."""
    head = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in names)
    rows = []
    for name in names:
        cells = "".join(square(supported_of.get((name, other)), name, other, better) for other in names)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    seen = [supported for supported in SIGNS if supported in supported_of.values()]
    signs = ", ".join(
        f'<span class="{shade(supported, better)}">{SIGNS[supported][0]}</span> {SIGNS[supported][1]}'
        for supported in seen
    )
    caption = f"{escape(metric)} of the row's method beside the column's"
    return (
        f'<div class="scroll" tabindex="0"><table class="matrix"><caption class="unseen">{caption}</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f'<p class="legend">{caption}: {signs or "no interval yet"}</p>'
    )


def square(supported: Verdict | None, name: str, other: str, better: Better) -> str:
    """One cell: a sign on its colour, with its sentence."""
    if name == other:
        return '<td class="self"></td>'
    sign, words = SIGNS.get(supported or "pending", ("", "no interval beside"))
    said = escape(f"{name}: {words} {other}", quote=True)
    return (
        f'<td class="{shade(supported, better)}" title="{said}"><span role="img" aria-label="{said}">{sign}</span></td>'
    )


def shade(supported: str | None, better: Better) -> str:
    """A cell's class: good, bad, apart (where neither direction is better), equal or open."""
    if supported in SEPARATED:
        return "apart" if better == "neither" else "good" if supported == better else "bad"
    return "equal" if supported == "equal within the margin" else "open"


def drawer(title: str, body: str) -> str:
    """A table that is opened when it is asked for; `body` is HTML."""
    return f'<details class="more"><summary>{escape(title)}</summary>{body}</details>'
