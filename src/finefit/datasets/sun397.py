"""SUN397: 397 kinds of scenes under two levels of coarser ones (Xiao et al., CVPR 2010).

Layout: `SUN397/a/abbey/*.jpg`; the published splits as lists of `/a/abbey/sun_*.jpg` (the first of ten is used: 50
training and 50 test pictures per class); and `three_levels.xlsx`, whose sheet `SUN397` marks with ones the groups of
every category: 3 coarse ones, then 16 finer. A category in several groups takes the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from finefit.data.listings import only, read, words  # noqa: F401 (read is part of a reader's interface)
from finefit.datasets import Draw, Published
from finefit.jobs import readers

PUBLISHED = Published("SUN397", 397, 16, 19_850, 19_850, "the second level of its hierarchy; the first has 3 groups")
LISTS = {"Training_01": "train", "Testing_01": "test"}
COARSE = 3  # groups of the first level


@dataclass(frozen=True)
class Settings:
    """No settings."""


def sources(settings: Settings) -> tuple[str, ...]:
    """Rows of data/sources.csv that it needs."""
    return "sun397", "sun397-partitions", "sun397-hierarchy"


def ranks(settings: Settings) -> tuple[str, ...]:
    """What may serve as superclass: the second level, or the first (`setting`: indoor, natural, man-made)."""
    return "superclass", "setting"


def index(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per picture: `key` (its path below the folder), `class_name` ("abbey", "airplane cabin"), `split`."""
    parts = []
    for name, split in LISTS.items():
        rows = words(only(root, f"**/{name}.txt"), ["path"])
        rows["class_name"] = _class_name(rows["path"].str.rsplit("/", n=1).str[0])
        rows["key"] = "SUN397" + rows["path"]
        parts.append(rows.assign(split=split)[["key", "class_name", "split"]])
    return pd.concat(parts, ignore_index=True)


def taxonomy(settings: Settings, root: Path) -> pd.DataFrame:
    """One row per class in alphabetical order of its path: `class_name`, `superclass`, `setting`."""
    table = readers.table(only(root, "**/three_levels.xlsx"), readers.UNPACKED, sheet_name="SUN397", header=1)
    paths = table.iloc[:, 0].str.strip("'\" ")
    marks = table.iloc[:, 1:].fillna(0).astype(float)
    levels = {"superclass": marks.iloc[:, COARSE:], "setting": marks.iloc[:, :COARSE]}
    groups = {name: level.idxmax(axis=1).where(level.max(axis=1) > 0, "none") for name, level in levels.items()}
    found = pd.DataFrame({"class_name": _class_name(paths), "path": paths, **groups})
    return found.sort_values("path", ignore_index=True)[["class_name", "superclass", "setting"]]


def stand_in(root: Path, draw: Draw) -> None:
    """Write the layout with every scene, and two pictures of each in either split."""
    paths = [f"/s/scene_{number:03d}" for number in range(PUBLISHED.classes)]
    for name in LISTS:
        rows = [f"{path}/{name}_{number}.jpg" for path in paths for number in (0, 1)]
        (root / f"{name}.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
        for row in rows:
            draw(root / f"SUN397{row}")
    groups = [f"group {number}" for number in range(COARSE + PUBLISHED.superclasses)]
    table = pd.DataFrame(0, index=range(len(paths)), columns=groups)
    for number in table.index:
        table.loc[number, [groups[number % COARSE], groups[COARSE + number % PUBLISHED.superclasses]]] = 1
    table.insert(0, "category", [f"'{path}'" for path in paths])
    table.to_excel(root / "three_levels.xlsx", sheet_name="SUN397", index=False, startrow=1)


def _class_name(paths: pd.Series) -> pd.Series:
    """A category's path "/c/church/indoor" as "church, indoor"."""
    return paths.str.split("/", n=2).str[2].str.replace("/", ", ").str.replace("_", " ")
