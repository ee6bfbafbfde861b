"""What is on disk of the published data sets: a check against the published counts, and the tables of docs/data.md."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from finefit import datasets
from finefit.data import archives, sources
from finefit.data.sources import Source
from finefit.hierarchy.index import read_index
from finefit.jobs.job import Job
from finefit.outlook import copies
from finefit.study import config
from finefit.study.config import Study
from finefit.study.plan import Plan

DOCUMENT = Path("docs/data.md")
SHOWN = 5  # missing pictures named


def check(name: str, study: Study | None) -> list[str]:
    """Compare a data set on disk with what its publishers say.

    Pictures are opened only of a folder of one's own whose index (the study's "data" job) is not made yet.

    Args:
        name: a data set of the study, or else a reader, with its default settings.
        study: where settings may stand.

    Returns:
        What was found, a line each.

    Raises:
        ValueError: sources or pictures are missing, or counts differ; the message lists everything.
    """
    if study and name in study.data:
        reader, settings = study.reader(name), study.reader_settings(name)
    else:
        reader = datasets.find(name)
        settings = config.build(reader.Settings, {})
    rows = [sources.find(row) for row in reader.sources(settings)]
    if absent := [row for row in rows if state(row) not in ("here", "in the mirror", "shipped")]:
        raise ValueError("\n".join(f"{name}: {row.file} is missing. {how(row)}" for row in absent))
    root = archives.unpacked(reader.sources(settings)) if rows else None
    made = index_of(name, study)
    index, classes = read_index(made) if made else reader.index(settings, root), reader.taxonomy(settings, root)
    found = {
        "classes": len(classes),
        "superclasses": classes["superclass"].nunique() if "superclass" in classes else None,
        "train": int((index["split"] == "train").sum()),
        "test": int((index["split"] == "test").sum()),
    }
    faults = [f"{name}: {fault}" for fault in differences(found, reader.PUBLISHED)]
    folder = folder_of(reader, settings, root)
    if folder:
        if missing := [key for key in index["key"] if not (folder / key).exists()]:
            faults.append(f"{name}: {len(missing)} pictures are missing in {folder}: {', '.join(missing[:SHOWN])}, ...")
    if faults:
        raise ValueError("\n".join(faults))
    copied = copies.between_splits(index, folder) if folder else []
    told = [f"{name}: {test} (test) is a copy of {train} (train)" for test, train in copied[:SHOWN]]
    if copied:
        told = [f"{name}: {len(copied)} test pictures are copies of training pictures: they test nothing", *told]
    basis = [f"{name}: as its index says, {made.path}; delete that to read the data set again"] if made else []
    return [f"{name}: {count} {what}" for what, count in found.items() if count is not None] + told + basis


def folder_of(reader: ModuleType, settings: Any, root: Path | None) -> Path | None:
    """Where a data set's files lie, below which its keys are paths; None where pictures are drawn."""
    if root:
        return reader.folder(root) if hasattr(reader, "folder") else root
    return Path(settings.path) if hasattr(settings, "path") else None


def index_of(name: str, study: Study | None) -> Job | None:
    """The "data" job of a study's data set, where its index is made."""
    jobs = Plan(study).kind("data") if study and name in study.data else []
    return next((job for job in jobs if job.name == name and job.marker.exists()), None)


def how(source: Source) -> str:
    """How to get a missing source."""
    return sources.advice(source) if source.by_hand else f"Run `finefit fetch {source.name}`. {sources.advice(source)}"


def differences(found: dict[str, int | None], published: datasets.Published | None) -> list[str]:
    """What of the counts found is not as published."""
    wanted = {what: getattr(published, what) for what in found} if published else {}
    return [
        f"{found[what]} {what} on disk, {count} published"
        for what, count in wanted.items()
        if count is not None and found[what] != count
    ]


def state(source: Source) -> str:
    """Where a source is to be had from, without touching the network."""
    mirror = os.environ.get("FINEFIT_MIRROR", "")
    if source.place.exists():
        return "shipped" if source.shipped else "here"
    if mirror and "://" not in mirror and (Path(mirror) / source.file).exists():
        return "in the mirror"
    return "by hand" if source.by_hand else "to fetch"


def data_sets() -> list[list[str]]:
    """A row per published data set: name, title, classes, superclasses, pictures, hierarchy, licence, fetching."""
    table = [
        ["name", "data set", "classes", "superclasses", "train", "test", "superclasses from", "licence", "fetched"]
    ]
    for name in datasets.names():
        reader = datasets.find(name)
        if reader.PUBLISHED is None:
            continue
        facts, rows = reader.PUBLISHED, [sources.find(row) for row in reader.sources(reader.Settings())]
        counts = [f"{count:,}" if count else "-" for count in (facts.classes, facts.superclasses)]
        counts += [f"{facts.train:,}", f"{facts.test:,}"]
        licence = "; ".join(dict.fromkeys(row.licence for row in rows)) or "Apache-2.0"
        fetched = "by hand" if any(row.by_hand for row in rows) else "by program" if rows else "nothing to fetch"
        table.append([f"`{name}`", facts.title, *counts, facts.hierarchy, licence, fetched])
    return table


def sources_table(with_state: bool = False) -> list[list[str]]:
    """A row per source: name, file or address, bytes, checksum, licence, terms, how; and its state on this machine."""
    table = [["source", "bytes", "checksum", "licence", "terms", "by hand"] + (["state"] if with_state else [])]
    for row in sources.table().values():
        name = f"[{row.name}]({row.url})" if row.url else row.name
        checksum = row.checksum if len(row.checksum) < 20 else f"{row.checksum[:15]}…"
        cells = [name, f"{row.bytes:,}" if row.bytes else "-", checksum, row.licence, row.terms, row.by_hand]
        table.append(cells + ([state(row)] if with_state else []))
    return table


def markdown(table: Iterable[list[str]]) -> str:
    """A table in Markdown; its first row is the head."""
    head, *rows = ([cell.replace("|", "/") for cell in row] for row in table)
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def document(text: str) -> str:
    """The text of docs/data.md with its two tables made anew; each stands between comments that name it."""
    for name, table in (("data sets", data_sets()), ("sources", sources_table())):
        first, last = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, rest = text.split(first)
        text = f"{before}{first}\n{markdown(table)}\n\n{last}{rest.split(last)[1]}"
    return text
