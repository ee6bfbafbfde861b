"""What is on disk of the published data sets: a check against the published counts, and the tables of docs/data.md."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from finefit import datasets
from finefit.data import archives, sources
from finefit.data.sources import Source
from finefit.hierarchy.index import counts, files, lacking, read_index
from finefit.jobs.checksums import checksum
from finefit.jobs.job import Job
from finefit.study import building
from finefit.study.config import Study
from finefit.study.plan import Plan

DOCUMENT = Path("docs/data.md")
HERE = ("here", "in the mirror", "shipped")  # states of a source that needs no network


def check(name: str, study: Study | None) -> list[str]:
    """Compare a data set on disk with what its publishers say.

    Pictures are opened only of a folder of one's own whose index (the study's "data" job) is not made yet.

    Args:
        name: a data set of the study, or else a reader, with its default settings; of several archives that it reads
            the first that is here.
        study: where settings may stand.

    Returns:
        What was found, a line each.

    Raises:
        ValueError: sources or pictures are missing, or counts differ; the message lists everything.
    """
    basis: list[str] = []  # what the check went by, where that is not what it was asked for
    if study and name in study.data:
        reader, settings = study.reader(name), study.reader_settings(name)
    else:
        reader = datasets.find(name)
        settings, basis = at_hand(reader)
    rows = [sources.find(row) for row in reader.sources(settings)]
    if absent := [row for row in rows if state(row) not in HERE]:
        raise ValueError("\n".join(f"{name}: {row.file} is missing. {how(row)}" for row in absent))
    root = archives.unpacked(reader.sources(settings)) if rows else None
    made = index_of(name, study)
    index, classes = read_index(made) if made else reader.index(settings, root), reader.taxonomy(settings, root)
    if faults := lacking(reader, settings, root, index, classes):
        raise ValueError("\n".join(f"{name}: {fault}" for fault in faults))
    paths, found = files(reader, settings, root, index), counts(index, classes)
    known = reader.copies(settings) if hasattr(reader, "copies") else None
    notes = [f"{name}: {line}" if line[0] != " " else line for line in copies(index, paths, known)]
    notes = [*(reader.notes(settings) if hasattr(reader, "notes") and made else []), *notes]
    if made:
        basis = [f"as its index says, {made.path}; delete that to read the data set again"]
    counted = [f"{name}: {count} {what}" for what, count in found.items() if count is not None]
    return counted + notes + [f"{name}: {what}" for what in basis]


def at_hand(reader: ModuleType) -> tuple[Any, list[str]]:
    """A reader's settings without a study, and what to tell of them: of several archives the first that is here."""
    default = building.build(reader.Settings, {})
    for archive in getattr(reader, "ARCHIVES", ()):
        settings = building.build(reader.Settings, {"archive": archive})
        if all(state(sources.find(row)) in HERE for row in reader.sources(settings)):
            return settings, [f"its archive {archive} was read; other settings by --study"] * (settings != default)
    return default, []


def copies(index: pd.DataFrame, paths: list[Path | None], known: dict[str, list[str]] | None = None) -> list[str]:
    """What is to be known of pictures of one content: between the splits, and in several classes; a line for each.

    Args:
        index: `key`, `class_name` and `split` of all pictures.
        paths: of their files, None for those that are drawn.
        known: keys of pictures of one content, by that, where the reader knows them; else files of one length are read.
    """
    files = dict(zip(index["key"], paths, strict=True))
    classes, splits = (dict(zip(index["key"], index[column], strict=True)) for column in ("class_name", "split"))
    if known is None:
        known = by_content({key: path for key, path in files.items() if path})
    count, between, several = 0, [], []
    for keys in sorted(map(sorted, known.values())):
        by_split = {split: [str(files[key]) for key in keys if splits[key] == split] for split in ("test", "train")}
        if all(by_split.values()):
            count += len(by_split["test"])
            between.append("  " + " is ".join(map(" and ".join, by_split.values())))
        if len({classes[key] for key in keys}) > 1:
            several.append("  " + " and ".join(str(files[key]) for key in keys))
    if between:
        between.insert(0, f"{count} test pictures are copies of training pictures, and flatter a model that memorises:")
    if several:
        several.insert(0, f"{len(several)} pictures lie in several classes, and are learned as each of them:")
    return between + several


def by_content(files: dict[str, Path]) -> dict[str, list[str]]:
    """Keys of files of one content, by its checksum; only files of one length are read."""
    sizes = {key: path.stat().st_size for key, path in files.items()}
    several = Counter(sizes.values())
    found: dict[str, list[str]] = {}
    for key, path in files.items():
        if several[sizes[key]] > 1:
            found.setdefault(checksum(path), []).append(key)
    return {content: keys for content, keys in found.items() if len(keys) > 1}


def index_of(name: str, study: Study | None) -> Job | None:
    """The "data" job of a study's data set, where its index is made."""
    jobs = Plan(study).kind("data") if study and name in study.data else []
    return next((job for job in jobs if job.name == name and job.marker.exists()), None)


def how(source: Source) -> str:
    """How to get a missing source."""
    return sources.advice(source) if source.by_hand else f"Run `finefit fetch {source.name}`. {sources.advice(source)}"


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
        name = f"[{row.name}]({row.url})" if row.url and not row.package else row.name
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
