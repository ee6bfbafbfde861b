"""What samples are worth to a classifier: a first line that says it, then methods, bands of classes, and classes."""

from __future__ import annotations

from html import escape
from pathlib import Path

from IPython.display import HTML

from finefit.analysis.collect import Results
from finefit.analysis.decisions import SEPARATED, verdict
from finefit.analysis.statistics import Estimate
from finefit.analysis.utility import (
    BANDS,
    REAL,
    SAMPLES,
    accuracy,
    band_of,
    class_gains,
    gain,
    in_group,
    names_of,
    questions,
    ways,
)
from finefit.jobs import readers
from finefit.report.text import PENDING, emphasised, measured, per_group, table

ACCURACY = "class_accuracy"
CEILING = 0.99  # of held-out pictures named by real pictures alone: no gain could be seen from there on
TOLD = 3  # classes of the first line, which is to be read at a glance
PUBLISHED = Path("data/published/utility.csv")


def first_line(found: Results) -> HTML:
    """Per group, in a few sentences: whether samples beside real pictures helped, and which classes."""
    return HTML("".join(f'<p class="finding">{finding(found, group)}</p>' for group in found.groups))


def finding(found: Results, group: str) -> str:
    """One group's answer, all from the table."""
    rows, entries = in_group(found, group)
    real, most = accuracy(rows, REAL), ways(found)[0]
    gains = {entry: gain(rows, entry, most).among(questions(found)) for entry in entries}
    known = {entry: value for entry, value in gains.items() if value.count}
    name = f"<strong>{escape(group)}</strong>: "
    if not known:
        return name + "pending; no classifier is trained yet."
    best = max(known, key=lambda entry: known[entry].mean)
    verdicts = {entry: verdict(value) for entry, value in known.items()}
    helped = [entry for entry, outcome in verdicts.items() if outcome == "higher"]
    harmed = [entry for entry, outcome in verdicts.items() if outcome == "lower"]
    if helped:
        answer = f"Samples helped: those of {escape(', '.join(helped))}."
    elif all(outcome == "one seed" for outcome in verdicts.values()):
        answer = "With one seed nothing says whether samples helped."
    elif len(harmed) == len(verdicts):
        answer, harmed = "Samples did harm, whatever method drew them.", []
    elif real.mean >= CEILING:
        answer = "Samples could not help: real pictures alone leave next to nothing to gain."
    else:
        answer = "Samples did not help measurably."
    answer += f" Those of {escape(', '.join(harmed))} did harm." if harmed else ""
    return (
        f"{name}{answer} Real pictures alone: {measured(real, ACCURACY)} of held-out real pictures named rightly; with "
        f"{most.partition(':')[2]} samples for each, the best method ({escape(best)}): {signed(known[best])}. "
        f"{classes_told(found, group, best, most)}"
    )


def signed(value: Estimate) -> str:
    """A gain in points, with its sign."""
    return ("+" if value.mean > 0 else "") + measured(value, ACCURACY).replace(" %", " points", 1)


def classes_told(found: Results, group: str, entry: str, way: str) -> str:
    """How many classes changed beyond chance under a method, and which did most; else the one that gained most."""
    named, gains = names_of(found, group), class_gains(found, group, entry, way)
    if not gains:
        return ""
    sure = {label: value for label, value in gains.items() if verdict(value) in SEPARATED}
    if not sure:
        most = max(gains, key=lambda label: gains[label].mean)
        return f"No single class is separated; {escape(named[most])} gained most: {signed(gains[most])}."
    largest = sorted(sure, key=lambda label: -abs(sure[label].mean))[:TOLD]
    told = ", ".join(f"{escape(named[label])} ({signed(sure[label])})" for label in largest)
    if len(sure) > TOLD:
        return f"{len(sure)} of {len(gains)} classes changed beyond chance, most of all {told}."
    return f"Classes that changed beyond chance: {told}."


@per_group
def gains(found: Results, group: str) -> str:
    """Accuracy of real pictures alone, then every method's with samples, and its gain."""
    rows, entries = in_group(found, group)
    columns = [REAL, *reversed(ways(found))]
    alone, body = measured(accuracy(rows, REAL), ACCURACY), []
    for entry in entries:
        cells = [alone]
        for way in columns[1:]:
            value = gain(rows, entry, way).among(questions(found))
            share = measured(accuracy(rows, f"{entry} {way}"), ACCURACY)
            cells.append(f"{share}<small>{emphasised(value, signed(value))}</small>" if value.count else PENDING)
        body.append([escape(entry), *cells])
    return table(["", *(escape(in_words(way)) for way in columns)], body, "utility")


def in_words(way: str) -> str:
    """A training set in words."""
    ratio = way.partition(":")[2]
    return f"real and samples, {way}" if ratio else {REAL: "real alone", SAMPLES: "samples alone"}[way]


@per_group
def bands(found: Results, group: str) -> str:
    """Every method's gain with most samples, by how many training pictures classes have."""
    rows, entries = in_group(found, group)
    train = rows.groupby("class_id")["train"].first()
    if train.empty:
        return f"<p>{PENDING}</p>"
    band = band_of(train)
    shown = [name for name in (*BANDS, "all") if name in set(band)]
    heads = [""]
    for name in shown:
        counts = train[band == name]
        heads.append(f"{name}<small>{len(counts)} classes of {counts.min()} to {counts.max()} pictures</small>")
    parts = [rows[rows["class_id"].isin(band.index[band == name])] for name in shown]
    body = []
    for entry in entries:
        values = [gain(part, entry, ways(found)[0]).among(len(entries) * len(shown)) for part in parts]
        body.append(
            [escape(entry), *(emphasised(value, signed(value)) if value.count else PENDING for value in values)]
        )
    return table(heads, body, "utility")


@per_group
def classes(found: Results, group: str) -> str:
    """Every class's gain with most samples under each method, rare classes first."""
    rows, entries = in_group(found, group)
    train, named = rows.groupby("class_id")["train"].first().sort_values(kind="stable"), names_of(found, group)
    values = {entry: class_gains(found, group, entry, ways(found)[0]) for entry in entries}
    body = [
        [escape(named.get(label, str(label))), str(count)]
        + [
            emphasised(values[entry][label], signed(values[entry][label])) if label in values[entry] else PENDING
            for entry in entries
        ]
        for label, count in train.items()
    ]
    return table(["", "training pictures", *entries], body, "utility")


def published() -> HTML:
    """What others found, as context: other networks, pictures and generators."""
    rows = readers.table(PUBLISHED, readers.SHIPPED, dtype=str)
    return HTML(table([*rows], [[escape(cell) for cell in row] for row in rows.to_numpy().tolist()], "context"))
