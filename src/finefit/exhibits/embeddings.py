"""The class table in two dimensions: whether subclasses of a superclass lie together (FineDiffusion's t-SNE figure)."""

from __future__ import annotations

import numpy as np
from IPython.display import HTML
from sklearn.manifold import TSNE

from finefit.analysis.collect import Results
from finefit.jobs import tensors
from finefit.jobs.job import Job
from finefit.models.shapes import CLASS_TABLE
from finefit.report.drawers import made_from
from finefit.report.figures import NOT_DRAWN
from finefit.report.style import COLOURS, MARKERS, chart, panels

MOST = 600  # classes shown: as many points as a panel holds apart, and t-SNE's time grows faster than they do
NAMED = 12  # superclasses that get a name in the legend


def label_embeddings(found: Results) -> HTML:
    """t-SNE (van der Maaten and Hinton 2008) of the trained class rows of every method, the first seed, first group."""
    group = next(iter(found.references))
    rows = found.main[found.main["group"] == group].drop_duplicates("entry")
    classes = found.classes(group)
    runs = {row["variant"]: row["jobs"][0].inputs["sample"].inputs["run"] for _, row in rows.iterrows()}
    runs = {name: run for name, run in runs.items() if run.marker.exists()}
    if classes is None or not runs or len(classes) < 4:
        return NOT_DRAWN
    figure, axes = panels(2, 2.4, -(-len(runs) // 2))
    shown = spread(len(classes))
    supers = classes["superclass"].iloc[shown].tolist()
    order = list(dict.fromkeys(supers))
    for axis, (name, run) in zip(axes, runs.items(), strict=False):
        places = flattened(class_rows(run, len(classes))[shown])
        for number, superclass in enumerate(order):
            chosen = np.array([one == superclass for one in supers])
            style = {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number // len(COLOURS) % len(MARKERS)]}
            label = superclass.replace("$", r"\$") if number < NAMED else None  # between two of them is mathematics
            axis.scatter(*places[chosen].T, s=26, label=label, **style)
        axis.set(title=name, xticks=[], yticks=[])
    for axis in axes[len(runs) :]:
        axis.set_axis_off()
    part = f", {len(shown)} of {len(classes):,} drawn" if len(shown) < len(classes) else ""
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
    return chart(
        figure,
        "Rows of the class table in two dimensions, a panel per method, coloured by superclass",
        f"Each point is a class{part}. t-SNE keeps neighbours together; distances between far groups mean nothing.",
        made_from(rows),
    )


def spread(classes: int) -> np.ndarray:
    """At most `MOST` class ids, evenly from all: data sets number the classes of a superclass one after the other."""
    return np.linspace(0, classes - 1, min(classes, MOST)).round().astype(np.int64)


def class_rows(run: Job, classes: int) -> np.ndarray:
    """Rows of the trained class table that belong to classes, `[classes, d]`."""
    with tensors.opened(run.path / "delta.safetensors", "np") as file:
        return file.get_tensor(CLASS_TABLE)[:classes].astype(np.float64)


def flattened(rows: np.ndarray) -> np.ndarray:
    """Two coordinates of each row, `[n, 2]`; the same on every call."""
    perplexity = min(30.0, (len(rows) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(rows)
