"""One look for every chart: a colour and a marker per method, for print, dark mode and colour-blind readers."""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib

matplotlib.use("Agg")
from IPython.display import HTML  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from finefit.analysis.scores import slug  # noqa: E402
from finefit.study.config import Study  # noqa: E402

# Okabe and Ito's colours without yellow and black, then brown and grey; methods take them in the study's order.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c564b", "#7f7f7f")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
INK, FAINT = "#010203", "#808890"  # INK becomes the page's own text colour
LINES = {"none": "-", "null": "--", "superclass": "-", "base": ":", "auto": "-.", "learned": (0, (5, 1))}

matplotlib.rcParams.update(
    {
        "svg.fonttype": "none",  # text stays text: searchable, and in the page's font
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.grid": True,
        "grid.color": FAINT,
        "grid.alpha": 0.25,
        "grid.linewidth": 0.6,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "lines.markersize": 6,
    }
)


def colour(study: Study, entry: str) -> str:
    """A method's colour, the same in every chart and table of a study."""
    return COLOURS[list(study.methods).index(entry) % len(COLOURS)]


def marker(study: Study, entry: str) -> str:
    """A method's marker."""
    return MARKERS[list(study.methods).index(entry) % len(MARKERS)]


def panels(columns: int, height: float = 3.6, rows: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure with `columns` panels side by side in each of `rows` rows; panels in reading order."""
    figure = Figure(figsize=(4.6 * columns if columns > 1 else 6.4, height * rows), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def chart(figure: Figure, description: str, caption: str, made: str = "") -> HTML:
    """A figure as vector graphics inside the page, and as files to keep: SVG and PNG.

    Args:
        figure: a matplotlib figure.
        description: what it shows, for those who cannot see it.
        caption: HTML below it.
        made: HTML of what it was drawn from.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": description}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    name = slug(description)[:60]
    keep = f'<a download="{name}.svg">SVG</a> <a download="{name}.png">PNG</a>'  # made by the page's script when asked
    drawing = re.sub(r"^.*?<svg ", "<svg ", buffer.getvalue(), flags=re.DOTALL).replace(INK, "currentColor")
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    width = f"--width: {figure.get_figwidth() * 7.2:.0f}rem"
    drawing = drawing.replace("<svg ", f'<svg role="img" aria-label="{escape(description)}" style="{width}" ', 1)
    drawer = f'<details class="figure-drawer"><summary>How this figure was made</summary><p>{made}</p></details>'
    return HTML(
        f'<figure class="chart"><div class="scroll" tabindex="0">{drawing}</div><figcaption>{caption}</figcaption>'
        f'<div class="tools figure-tools">{keep}</div>{drawer if made else ""}</figure>'
    )
