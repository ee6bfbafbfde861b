"""Numbers and names as a reader wants to see them, and the few pieces of HTML that the page is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import TypeVar

import pandas as pd
from IPython.display import HTML

from finefit.analysis.decisions import SEPARATED, verdict
from finefit.analysis.scores import Scores
from finefit.analysis.statistics import Estimate

Shown = TypeVar("Shown", bound=Scores)

PENDING = '<span class="pending">pending</span>'
ABSENT = '<span class="note">weights absent</span>'
DASH = "–"  # instead of a value that a measure does not have
CAPTIONS = {  # for those who hear the page
    "results": "Scores and costs of every method",
    "pairs": "Differences between methods",
    "classes": "Differences between methods over classes",
    "domains": "Verdicts by what the pictures are",
    "gathered": "Claims and what every kept study found",
    "sweep": "Scores at every guidance scale",
    "seeds": "Values by seed",
    "judged": "The mildest degradation that each score sees",
    "guidance": "Distances at one guidance scale and at each method's own best",
    "worst": "Kernel distance of the worst classes",
    "bands": "Scores by number of training pictures",
    "neighbours": "Samples beside the nearest training pictures",
    "denoising": "Held-out denoising loss",
    "utility": "What samples are worth to a classifier",
    "context": "What other studies found",
    "trend": "Distances over what the study varies",
    "crossings": "Differences to the method that trains most, and where they cross zero",
    "tuning": "Learning rates that were chosen",
    "claims": "Claims and their verdicts",
    "exhibits": "Tables and figures of the papers",
    "words": "Words of the field and what they mean here",
    "differences": "Differences between the method and every kept one",
    "machine": "One kept run made again",
    "published": "Published values beside this study's",
    "orders": "The order of methods in the paper and here",
}
# Of text: on a phone a row's cells stack.
STACKED = ("claims", "exhibits", "domains", "gathered", "pairs", "words", "context")
SHARES = ("class_accuracy", "superclass_accuracy", "precision_", "recall_", "coverage_", "memorised_")  # begin so


def in_percent(metric: str) -> bool:
    """Whether a metric is a share, which is shown in percent."""
    return metric.startswith(SHARES)


def number(value: float, digits: int = 3, beside: float = 0.0) -> str:
    """A number with so many significant digits, never in powers of ten: 0.0123, 1.23, 12.3, 1,234.

    Args:
        beside: a number that it stands next to; both then have the decimal places of the larger one.
    """
    if math.isnan(value):
        return DASH
    largest = max(abs(value), abs(beside))
    places = max(0, digits - 1 - math.floor(math.log10(largest))) if largest else 0
    return f"{value:,.{places}f}".replace("-", "−")


def measured(found: Estimate, metric: str, absent: str = "") -> str:
    """An estimate as "mean ± half" in the metric's shown unit; `absent` or "pending" where nothing is known."""
    if not found.count:
        return absent or PENDING
    if math.isnan(found.half):
        return shown(found.mean, metric)
    mean, half = with_half(found.mean, found.half, metric)
    return f'{mean} <span class="half">± {half}</span>'


def with_half(mean: float, half: float, metric: str) -> tuple[str, str]:
    """A mean and half its interval as texts with the same places; of shares in percent."""
    if in_percent(metric):
        return shown(mean, metric), f"{100 * half:.1f}"
    return number(mean, beside=half), number(half, beside=mean)


def emphasised(difference: Estimate, text: str) -> str:
    """What is said of a difference, as HTML; strong where its interval leaves zero out."""
    return f"<strong>{text}</strong>" if verdict(difference) in SEPARATED else text


def mean_and_half(mean: float, half: float, metric: str) -> str:
    """A mean with half its interval, where it has one, without HTML: "3.12 ± 0.27", "93.5 % ± 2.0"."""
    return shown(mean, metric) if pd.isna(half) else " ± ".join(with_half(mean, half, metric))


def cell(row: pd.Series, metric: str) -> str:
    """A row's `metric` with half its interval (`<metric>_half`), for a table in Markdown."""
    return "pending" if pd.isna(row[metric]) else mean_and_half(row[metric], row[f"{metric}_half"], metric)


def shown(value: float, metric: str) -> str:
    """A metric's value as text; accuracies, which are shares, in percent; a dash where there is none."""
    if math.isnan(value):
        return DASH
    return f"{100 * value:.1f} %".replace("-", "−") if in_percent(metric) else number(value)


def lacking(reason: str) -> str:
    """A dash, and below it why there is no value; `reason` is text."""
    return f"{DASH}<small>{escape(reason)}</small>"


def probability(p: float) -> str:
    """A p-value with two digits, or that it is below one in a thousand."""
    return "< 0.001" if p < 0.001 else number(p, 2)


def link(anchor: str, content: str) -> str:
    """A link to a drawer, which stands on the site's first page; `content` is HTML."""
    return f'<a class="made" href="index.html#{anchor}">{content}</a>'


def table(head: list[str], body: list[list[str]], kind: str) -> str:
    """An HTML table that scrolls sideways where it must; the first cell of each row is its head. All texts are HTML.

    On a phone the cells of a kind in `STACKED` stand one below the other, each under its column's head.
    """
    heads = "".join(f'<th scope="col">{text}</th>' for text in head)
    stacks = kind in STACKED
    above = [f' data-head="{text.partition("<")[0]}"' if stacks else "" for text in head]
    rows = []
    for first, *rest in body:
        cells = "".join(f"<td{label}>{text}</td>" for label, text in zip(above[1:], rest, strict=False))
        rows.append(f'<tr><th scope="row">{first}</th>{cells}</tr>')
    return (
        f'<div class="scroll" tabindex="0"><table class="{kind}{" stacks" if stacks else ""}">'
        f'<caption class="unseen">{CAPTIONS.get(kind, kind)}</caption><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def heading(group: str, groups: int) -> str:
    """A group's heading, where the study has more than one."""
    return f"<h3>{escape(group)}</h3>" if groups > 1 else ""


def per_group(part: Callable[[Shown, str], str]) -> Callable[[Shown], HTML]:
    """Make what is shown of one group, `part(found, group)`, a piece of a page: all groups, each below its heading.

    A group of which nothing is shown is left out.
    """

    @wraps(part)
    def every(found: Shown) -> HTML:
        shown = {group: part(found, group) for group in found.groups}
        return HTML("".join(heading(group, len(shown)) + text for group, text in shown.items() if text))

    return every
