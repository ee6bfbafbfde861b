"""The tables of documents out of benchmarks/results: `python -m benchmarks.speed.tables`.

A pair of comments, `<!-- speed-cpu.json -->` and `<!-- end -->`, encloses the table of that file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = tuple(
    ROOT / "docs" / name
    for name in ("performance.md", "data.md", "results/processes/README.md", "results/base-photo/README.md")
)
RESULTS = ROOT / "benchmarks/results"
PLACE = re.compile(r"(<!-- ((\w+)[\w-]*\.json) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = dict[str, object]


def speed(found: dict) -> list[Row]:
    """Every ratio of a run, its median and range over rounds, with its goal."""
    verdicts = {None: "", True: "yes", False: "**no**"}
    rows = []
    for answer in found["answers"]:
        ratio = found[answer["part"]]["ratios"][answer["ratio"]]
        spread = f"{shown(ratio['least'])} to {shown(ratio['greatest'])}" if isinstance(ratio, dict) else ""
        row = {"part": answer["part"], "ratio": answer["ratio"], "median": shown(answer["value"]), "range": spread}
        rows.append(row | {"goal": answer["goal"] or "", "met": verdicts[answer["met"]]})
    return rows


def profile(found: dict) -> list[Row]:
    """Where a step's time goes."""
    steps = {name: part for name, part in found.items() if name.endswith("step")}
    groups = next(iter(steps.values()))["groups"]
    shares = {name: {group: part["groups"][group]["share"] for group in groups} for name, part in steps.items()}
    order = sorted(groups, key=lambda group: -next(iter(shares.values()))[group])
    rows = [{"group": group} | {name: f"{100 * shares[name][group]:.1f} %" for name in steps} for group in order]
    return [*rows, {"group": "milliseconds"} | {name: shown(part["wall_milliseconds"]) for name, part in steps.items()}]


def samplers(found: dict) -> list[Row]:
    """Fidelity and seconds of each sampler, a score with its difference from the first row's."""

    def cell(score: dict) -> str:
        beside = f" ({score['difference']:+.3f} ± {score['half']:.3f})" if "half" in score else ""
        return f"{score['mean']:.3f}{beside}"

    return [
        {key: cell(value) if isinstance(value, dict) else shown(value) for key, value in row.items()}
        for row in found["rows"]
    ]


def precision(found: dict) -> list[Row]:
    """Each score of two kept studies, and their difference pair by pair."""
    rows = []
    for row in found["rows"]:
        difference = f"{row['difference']['mean']:+.2g} ± {row['difference']['half']:.2g}"
        rows.append({"score": row["score"], "float32": f"{row['first']:.5g}", "bfloat16": f"{row['second']:.5g}"})
        rows[-1]["difference"] = difference
    return rows


def packs(found: dict) -> list[Row]:
    """Each size of pack."""
    return [{key.replace("_", " "): shown(value) for key, value in row.items()} for row in found["results"]]


def memory(found: dict) -> list[Row]:
    """The most memory, in megabytes, that each job held of so many pictures."""
    keys = ("pictures", "reference", "judge", "evaluate")
    return [{key: shown(row[key]) for key in keys} for row in found["results"]]


def operators(found: dict) -> list[Row]:
    """Each shape of attention and GELU: milliseconds forward, and forward and backward."""

    def cell(row: dict, name: str) -> str:
        taken = [row["milliseconds"].get(f"{name}, {way}") for way in ("forward", "both")]
        return "" if None in taken else " / ".join(f"{milliseconds:.1f}" for milliseconds in taken)

    names = {"torch, float32": "fused in float32", "torch, bfloat16": "fused", "ours": "ours"}
    rows = [
        {"operator": "attention", "shape": " x ".join(map(str, row["shape"]))}
        | {head: cell(row, name) for head, name in names.items()}
        for row in found["attention"]
    ]
    return rows + [
        {"operator": "GELU", "shape": " x ".join(map(str, row["shape"])), "torch, float32": ""}
        | {"torch, bfloat16": cell(row, "torch"), "ours": cell(row, "ours")}
        for row in found["gelu"]
    ]


def methods(found: dict) -> list[Row]:
    """Ratios of methods' steps, their medians and ranges over rounds."""
    return [{"seconds of a step": name} | spread(ratio) for name, ratio in found["ratios"].items()]


def passes(found: dict) -> list[Row]:
    """Each method's step by plain forms over ours."""
    told = {True: "yes", False: "**no**", None: "not compared"}
    return [
        {"method": name, "same bits": told[part.get("same bits")]} | spread(part["plain over ours"])
        for name, part in found.items()
        if isinstance(part, dict) and "plain over ours" in part
    ]


def spread(ratio: dict) -> Row:
    """Median and range over rounds of a ratio."""
    return {"median": f"{ratio['median']:.3f}", "range": f"{ratio['least']:.3f} to {ratio['greatest']:.3f}"}


def growth(found: dict) -> list[Row]:
    """What each act of a large study took."""
    acts = [(f"{part}: {name}", took) for part in ("classes", "jobs") for name, took in found.get(part, {}).items()]
    return [
        {
            "what": name,
            "seconds": f"{took['seconds']:.1f}",
            "of the processor": f"{took['processor_seconds']:.1f}",
            "megabytes": shown(round(took["peak_bytes"] / 1e6)),
        }
        for name, took in acts
    ]


def holes(found: dict) -> list[Row]:
    """Each superclass: how far mini's classes lie from the source's, and those from each other."""

    def pair(distances: list[float]) -> str:
        return " and ".join(f"{distance:.2f}" for distance in distances)

    return [
        {
            "superclass": row["superclass"],
            "traits": shown(row["traits"]),
            "mini's classes to the source's": pair(row["mini"]),
            "without holes": pair(row["mini_without_holes"]),
            "hole": f"{row['hole']:.2f}",
            "any reserved class, the nearest": f"{row['nearest_of_reserved']:.2f}",
            "source's classes to each other": f"{row['source_spacing']:.2f}",
        }
        for row in found["rows"]
    ]


def shift(found: dict) -> list[Row]:
    """Each shift: how far pictures move, and what classifiers name."""
    return [
        {
            "shift": f"{row['shift']:g}",
            "mean change of a value (of 255)": f"{row['moved']:.1f}",
            "named by a classifier trained at 0": f"{100 * row['named_without_shift']:.0f} %",
            "trained at the same shift": f"{100 * row['named_at_shift']:.0f} %",
        }
        for row in found["rows"]
    ]


def codecs(found: dict) -> list[Row]:
    """Decibels of each codec on each set of pictures."""
    return [
        {key: f"{value:.1f}" if isinstance(value, float) else shown(value) for key, value in row.items()}
        for row in found["rows"]
    ]


def order(found: dict) -> list[Row]:
    """Each method's distance and place by either process."""
    return [
        {"method": row["method"]}
        | {
            process: f"{row[process]:.0f} ± {row[f'{process}, half']:.0f} ({row[f'{process}, place']})"
            for process in ("ddpm", "flow")
        }
        for row in found["rows"]
    ]


def evaluations(found: dict) -> list[Row]:
    """A line for each sampler, a column for each number of evaluations: distance, and what the judge names."""
    rows: dict[str, Row] = {}
    for row in found["rows"]:
        half = f" ± {row['distance, half']:.0f}" if "distance, half" in row else ""
        named = f", {100 * row['named']:.0f} %" if "named" in row else ""
        line = rows.setdefault(row["sampler"], {"process": row["process"], "sampler": row["sampler"]})
        line[f"{row['evaluations']} evaluations"] = f"{row['distance']:.0f}{half}{named}"
    return list(rows.values())


def bases(found: dict) -> list[Row]:
    """As `evaluations`, of the bases alone."""
    return evaluations(found)


def photographs(found: dict) -> list[Row]:
    """Each factor's distance, and which share of its samples the judge names."""
    return [
        {
            "changed": row["factor"],
            "distance": f"{row[next(key for key in row if key.startswith('fd_'))]:.0f}",
            "samples named": f"{100 * row['samples named']:.1f} %",
        }
        for row in found["rows"]
    ]


def shown(value: object) -> str:
    """A cell: numbers to four digits, whole ones with commas."""
    if value is None:
        return "not measured"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


TABLES = {
    table.__name__: table
    for table in (
        speed,
        profile,
        samplers,
        precision,
        packs,
        memory,
        operators,
        methods,
        passes,
        growth,
        holes,
        shift,
        codecs,
        order,
        evaluations,
        bases,
        photographs,
    )
}


def rendered(text: str) -> str:
    """The document's text with every table made anew."""

    def table(place: re.Match) -> str:
        found = json.loads((RESULTS / place[2]).read_text(encoding="utf-8"))
        rows = TABLES[place[3]](found)
        lines = [" | ".join(rows[0]), " | ".join("---" for _ in rows[0]), *(" | ".join(row.values()) for row in rows)]
        machine = found.get("machine", found.get("hardware", {}))  # none where nothing depends on it
        said = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in machine.items() if value)
        on = f"\nOn: {said}.\n" if said else ""
        return place[1] + "".join(f"| {line} |\n" for line in lines) + on + place[4]

    return PLACE.sub(table, text)


def rewrite() -> None:
    """Write the documents' tables anew."""
    for document in DOCUMENTS:
        document.write_text(rendered(document.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
