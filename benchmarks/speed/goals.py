"""What the project asks of its speed on each kind of machine, beside what a run of `ratios` found."""

from __future__ import annotations

from typing import Any

# By part and ratio. "baseline" is the published code, or the plain step where no checkout of it was given.
GOALS: dict[str, dict[str, dict[str, tuple[str, float]]]] = {
    "gpu": {
        "training": {
            "over baseline": ("at least", 2.5),
            "over full fine-tuning": ("at least", 1.4),
            "peak memory to full fine-tuning's": ("at most", 0.6),
            "share of the matrix rate": ("at least", 0.45),
        },
        "sampling": {"over baseline": ("at least", 3), "in a tenth of its steps over baseline": ("at least", 25)},
        "losses": {"largest relative difference": ("at most", 2**-8)},
        "classes": {"100,000 to 1,000": ("at most", 1.1)},
    },
    "CPU with bfloat16 units": {
        "training": {
            "over baseline": ("at least", 2),
            "over baseline that encodes": ("at least", 4),
            "share of the matrix rate": ("at least", 0.5),
        },
        "sampling": {"over baseline": ("at least", 2), "in a tenth of its steps over baseline": ("at least", 20)},
        "losses": {"largest relative difference": ("at most", 2**-8)},
        "classes": {"100,000 to 1,000": ("at most", 1.1)},
    },
    "CPU": {
        "training": {"over baseline": ("at least", 1), "over baseline that encodes": ("at least", 1)},
        "sampling": {"over baseline": ("at least", 1)},
        "classes": {"100,000 to 1,000": ("at most", 1.1)},
    },
}


def answers(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Every ratio of a run (its median), a row each; with the goal for such a machine and whether it is met, if any."""
    rows = []
    for part, result in found.items():
        for name, value in result.get("ratios", {}).items() if isinstance(result, dict) else ():
            middle = value["median"] if isinstance(value, dict) else value
            row = {"part": part, "ratio": name, "value": middle, "goal": None, "met": None}
            word, bound = GOALS[found["machine"]["kind"]].get(part, {}).get(name, (None, None))
            if word:
                row["goal"] = f"{word} {bound:g}"
                row["met"] = middle is not None and (middle >= bound if word == "at least" else middle <= bound)
            rows.append(row)
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """The rows for a reader."""
    lines = []
    for row in rows:
        value = "not measured" if row["value"] is None else f"{row['value']:.4g}"
        verdict = {None: "", True: "met", False: "not met"}[row["met"]]
        lines.append(f"{row['part']:<10} {row['ratio']:<42} {value:>12}  {row['goal'] or '':<14} {verdict}".rstrip())
    return "\n".join(lines)
