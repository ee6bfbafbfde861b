"""Superclasses of two data sets' classes from WordNet 3.0: `python -m benchmarks.truth.wordnet FOLDER`.

`FOLDER` is WordNet's database (`data.noun`, whose offsets are ImageNet's ids); Debian's package `wordnet-base` has
it. Of several synsets above one the first is taken. The superclass of a class is found from the bottom up: a synset
that has `LEAST` classes or more below it which no deeper synset took is the superclass of those.

Tiny ImageNet's classes are synsets, and it gets further ranks: `parent`, the synset directly above, and `depth_k`, the
ancestor k below the root (the parent, where none is). Which synset a class of Caltech-101 shows is for a person to say:
the columns `class_name` and `wnid` of its table are read, the others made anew.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import pandas as pd

from finefit.data.archives import unpacked
from finefit.datasets import caltech101, tiny_imagenet

LEAST = 5
DEPTHS = range(2, 9)  # at 1, all are physical entities
ABOVE = ("@", "@i")  # WordNet's pointers to a hypernym, of a class and of an instance
HEAD = "  "  # lines of the licence


def synsets(file: Path) -> tuple[dict[str, str], dict[str, str]]:
    """First word of every noun synset, and the synset above it, by WordNet id ("n02085620")."""
    words, above = {}, {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith(HEAD):
            continue
        offset, _, _, count, *rest = line.split(" | ")[0].split()
        wnid, pointers = f"n{offset}", rest[2 * int(count, 16) + 1 :]
        words[wnid] = rest[0].replace("_", " ")
        for kind, target in zip(pointers[::4], pointers[1::4], strict=False):
            if kind in ABOVE and wnid not in above:
                above[wnid] = f"n{target}"
    return words, above


def chain(wnid: str, above: dict[str, str]) -> list[str]:
    """A synset and all above it, the root last."""
    found = [wnid]
    while found[-1] in above:
        found.append(above[found[-1]])
    return found


def grouped(chains: dict[str, list[str]]) -> dict[str, str]:
    """The superclass of every class, by the module's rule, from its synset's chain; those left at a root stay there."""
    depth = {synset: len(found) - place for found in chains.values() for place, synset in enumerate(found)}
    waiting, groups = defaultdict(list), {}
    for name, found in chains.items():
        waiting[found[1]].append(name)
    for synset in sorted(depth, key=lambda each: (-depth[each], each)):
        members = waiting.pop(synset, [])
        above = next((f[f.index(synset) + 1 :] for f in chains.values() if synset in f), [])
        if members and above and len(members) < LEAST:
            waiting[above[0]] += members
        else:
            groups |= dict.fromkeys(members, synset)
    return groups


def write_tiny_imagenet(words: dict[str, str], above: dict[str, str]) -> None:
    """Write data/taxonomies/tiny-imagenet-wordnet.csv."""
    root = unpacked(("tiny-imagenet-first250",))
    wnids = sorted((root / "tiny-imagenet-200/wnids.txt").read_text().split())
    chains = {wnid: chain(wnid, above) for wnid in wnids}
    groups = grouped(chains)
    rows = []
    for wnid, found in chains.items():
        down = [words[synset] for synset in found[:0:-1]]  # from the root to the parent
        depths = [down[min(depth, len(down) - 1)] for depth in DEPTHS]
        rows.append([wnid, words[wnid], words[groups[wnid]], down[-1], *depths])
    columns = ["wnid", "name", *tiny_imagenet.RANKS]
    pd.DataFrame(rows, columns=columns).to_csv(tiny_imagenet.TAXONOMY, index=False, lineterminator="\n")


def write_caltech101(words: dict[str, str], above: dict[str, str]) -> None:
    """Write data/taxonomies/caltech-101-wordnet.csv anew from its first two columns."""
    table = pd.read_csv(caltech101.TAXONOMY)[["class_name", "wnid"]]
    groups = grouped({name: chain(wnid, above) for name, wnid in table.to_numpy()})
    table["synset"] = table["wnid"].map(words)
    table["superclass"] = table["class_name"].map(groups).map(words)
    table.to_csv(caltech101.TAXONOMY, index=False, lineterminator="\n")


def main() -> None:
    """Write both tables."""
    words, above = synsets(Path(sys.argv[1]) / "data.noun")
    write_caltech101(words, above)
    write_tiny_imagenet(words, above)


if __name__ == "__main__":
    main()
