"""What samples are worth to a classifier: a first line that says it, then methods, bands of classes, and classes.

Under every seed of the study classifiers of the same seeds are trained on real pictures alone and with samples, so
seeds are blocks (`blocks`): a gain is a difference within them, its error pooled over training sets; over classes where
it is told of every class.
"""

from __future__ import annotations

from functools import lru_cache
from html import escape
from pathlib import Path

import pandas as pd
from IPython.display import HTML

from finefit.analysis.blocks import Fit
from finefit.analysis.collect import Results
from finefit.analysis.decisions import verdict
from finefit.analysis.statistics import NOTHING, Estimate
from finefit.report.text import PENDING, heading, measured, table

REAL, SAMPLES = "real", "samples"
ACCURACY = "class_accuracy"
CEILING = 0.99  # of held-out pictures named by real pictures alone: no gain could be seen from there on
BANDS = ("rare", "middle", "common")
PUBLISHED = Path("data/published/utility.csv")


@lru_cache(maxsize=4)
def results(found: Results) -> pd.DataFrame:
    """Right answers with a row per `group`, `entry` ("" for real pictures), `seed`, `trained_on`, and class.

    Its further columns: `class_id`, `train`, `pictures`, `right`, summed over classifiers; pending jobs have no rows.
    """
    parts = []
    for job in found.plan.kind("utility"):
        if job.marker.exists():
            entry = ""
            if "sample" in job.inputs:
                run = job.inputs["sample"].inputs["run"]
                entry = run.name.partition("/")[2].removesuffix(f"-s{run.settings['seed']}")
            known = {"group": job.name.partition("/")[0], "entry": entry, "seed": job.settings["seed"]}
            parts.append(pd.read_csv(job.path / "utility.csv").assign(**known))
    keys = ["group", "entry", "seed", "trained_on", "class_id"]
    if not parts:
        return pd.DataFrame(columns=[*keys, "train", "pictures", "right"])
    rows = pd.concat(parts).groupby(keys, as_index=False)
    return rows.agg({"train": "first", "pictures": "sum", "right": "sum"})


def ways(found: Results) -> list[str]:
    """The training sets that hold samples, those with most of them first."""
    ratios = found.study.evaluate.utility.ratios if found.study.evaluate.utility else []
    return [f"1:{ratio}" for ratio in sorted(ratios, reverse=True)] + [SAMPLES]


def shares(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of classes that have test pictures, with the `share` of these named rightly and what was `learned` from."""
    rows = rows[rows["pictures"] > 0]
    learned = (rows["entry"] + " " + rows["trained_on"]).str.strip()
    return rows.assign(share=rows["right"] / rows["pictures"], learned=learned)


def accuracies(rows: pd.DataFrame) -> Fit:
    """The additive model of training set and seed of the accuracy, in which every class counts the same."""
    return Fit(shares(rows).pivot_table(index="learned", columns="seed", values="share"))


def accuracy(rows: pd.DataFrame, learned: str) -> Estimate:
    """Mean accuracy over seeds of a training set: "real", or entry and way ("full 1:10")."""
    fit = accuracies(rows)
    return fit.mean(learned) if learned in fit.values.index else NOTHING


def gain(rows: pd.DataFrame, entry: str, way: str) -> Estimate:
    """How much more a classifier names rightly than one that was trained on real pictures alone."""
    fit, learned = accuracies(rows), f"{entry} {way}"
    return fit.contrast({learned: 1.0, REAL: -1.0}) if {learned, REAL} <= set(fit.values.index) else NOTHING


def in_group(found: Results, group: str) -> tuple[pd.DataFrame, list[str]]:
    """A group's rows, and the entries that the study has."""
    rows = results(found)
    return rows[rows["group"] == group], list(found.study.methods)


def questions(found: Results) -> int:
    """Gains that are told together: every method and way, in every group."""
    return len(found.study.methods) * len(ways(found)) * len(found.groups)


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
    helped = [entry for entry, told in verdicts.items() if told == "higher"]
    harmed = [entry for entry, told in verdicts.items() if told == "lower"]
    if helped:
        answer = f"Samples helped: those of {escape(', '.join(helped))}."
    elif all(told == "one seed" for told in verdicts.values()):
        answer = "With one seed nothing says whether samples helped."
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
    """The classes that changed beyond chance under a method, all together; else the one that gained most."""
    named, gains = names_of(found, group), class_gains(found, group, entry, way)
    if not gains:
        return ""
    sure = {label: value for label, value in gains.items() if verdict(value) in ("higher", "lower")}
    if not sure:
        most = max(gains, key=lambda label: gains[label].mean)
        return f"No single class is separated; {escape(named[most])} moved most: {signed(gains[most])}."
    told = [f"{escape(named[label])} ({signed(value)})" for label, value in sure.items()]
    return f"Classes that changed beyond chance: {', '.join(told)}."


def class_gains(found: Results, group: str, entry: str, way: str) -> dict[int, Estimate]:
    """The gain of every class under a method, told together: from the additive model of class and seed of the gains."""
    rows, _ = in_group(found, group)
    tables = {
        learned: part.pivot(index="class_id", columns="seed", values="share")
        for learned, part in shares(rows).groupby("learned")
    }
    learned = f"{entry} {way}"
    if not {learned, REAL} <= tables.keys():
        return {}
    fit = Fit(tables[learned] - tables[REAL])
    return {label: fit.mean(label) for label in fit.values.index}


def names_of(found: Results, group: str) -> dict[int, str]:
    """Class names by id."""
    known = found.classes(group)
    return {} if known is None else dict(zip(known["class_id"], known["class_name"], strict=True))


def gains(found: Results) -> HTML:
    """Per group: accuracy of real pictures alone, then every method's with samples, and its gain."""
    parts, columns = [], [REAL, *reversed(ways(found))]
    for group in found.groups:
        rows, entries = in_group(found, group)
        alone, body = measured(accuracy(rows, REAL), ACCURACY), []
        for entry in entries:
            cells = [alone]
            for way in columns[1:]:
                value = gain(rows, entry, way).among(questions(found))
                share = measured(accuracy(rows, f"{entry} {way}"), ACCURACY)
                cells.append(f"{share}<small>{emphasised(value)}</small>" if value.count else PENDING)
            body.append([escape(entry), *cells])
        heads = ["", *(escape(told(way)) for way in columns)]
        parts.append(heading(group, len(found.groups)) + table(heads, body, "utility"))
    return HTML("".join(parts))


def emphasised(value: Estimate) -> str:
    """A gain; strong where its interval leaves zero out."""
    return f"<strong>{signed(value)}</strong>" if verdict(value) in ("lower", "higher") else signed(value)


def told(way: str) -> str:
    """A training set in words."""
    ratio = way.partition(":")[2]
    return f"real and samples, {way}" if ratio else {REAL: "real alone", SAMPLES: "samples alone"}[way]


def band_of(train: pd.Series) -> pd.Series:
    """The band of every class by its training pictures: thirds of the classes, equal counts together; or one, "all"."""
    if train.nunique() == 1:
        return pd.Series("all", train.index)
    rank = train.rank(method="average", pct=True)
    return pd.cut(rank, [0, 1 / 3, 2 / 3, 1], labels=list(BANDS)).astype(str)


def bands(found: Results) -> HTML:
    """Per group: every method's gain with most samples, by how many training pictures classes have."""
    parts, most = [], ways(found)[0]
    for group in found.groups:
        rows, entries = in_group(found, group)
        train = rows.groupby("class_id")["train"].first()
        if train.empty:
            parts.append(heading(group, len(found.groups)) + f"<p>{PENDING}</p>")
            continue
        band = band_of(train)
        shown = [name for name in (*BANDS, "all") if name in set(band)]
        heads = [""]
        for name in shown:
            counts = train[band == name]
            heads.append(f"{name}<small>{len(counts)} classes of {counts.min()} to {counts.max()} pictures</small>")
        body = []
        for entry in entries:
            parts_of = {name: rows[rows["class_id"].isin(band.index[band == name])] for name in shown}
            values = [gain(part, entry, most).among(len(entries) * len(shown)) for part in parts_of.values()]
            body.append([escape(entry), *(emphasised(value) if value.count else PENDING for value in values)])
        parts.append(heading(group, len(found.groups)) + table(heads, body, "utility"))
    return HTML("".join(parts))


def classes(found: Results) -> HTML:
    """Per group: every class's gain with most samples under each method, rare classes first."""
    parts, most = [], ways(found)[0]
    for group in found.groups:
        rows, entries = in_group(found, group)
        train, named = rows.groupby("class_id")["train"].first().sort_values(kind="stable"), names_of(found, group)
        values = {entry: class_gains(found, group, entry, most) for entry in entries}
        body = [
            [escape(named.get(label, str(label))), str(count)]
            + [emphasised(values[entry][label]) if label in values[entry] else PENDING for entry in entries]
            for label, count in train.items()
        ]
        parts.append(heading(group, len(found.groups)) + table(["", "training pictures", *entries], body, "utility"))
    return HTML("".join(parts))


def published() -> HTML:
    """What others found, as context: other networks, pictures and generators."""
    rows = pd.read_csv(PUBLISHED, dtype=str)
    return HTML(table([*rows], [[escape(cell) for cell in row] for row in rows.to_numpy().tolist()], "context"))
