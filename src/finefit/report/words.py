"""The words of the field, for those who come without them: what each means in a report."""

from __future__ import annotations

from IPython.display import HTML

from finefit.report.text import table

WORDS = {
    "base": "the network that a method starts from; it has learned to draw many kinds of things",
    "class, superclass": "one kind of thing, such as a curlew, and the kind above it, such as waders",
    "class table": "the part of the network that holds a row of numbers for every class",
    "codec": "turns a picture into fewer numbers (<em>latents</em>) and back; the network draws latents",
    "diffusion": "drawing by taking noise away, step by step",
    "diversity": "how far two samples of one class are apart; right is what real pictures have, more is not better",
    "Fréchet distance (fd_…, FID)": "how far samples are from real pictures, as a judge sees both; 0 is the same. "
    "Distances of different judges do not compare",
    "guidance": "pushing a sample away from what the network would draw without the class",
    "interval": "the range that holds the true value in 95 of 100 studies; those of a table hold all at once",
    "judge": "a network that looks at pictures; a score bears its judge's name. The <em>probe</em> is a small one that "
    "the study trained on real pictures",
    "method": "a way to train a part of the network: which numbers, and what is added",
    "class accuracy": "how often a classifier, trained on real pictures alone, names the class that was asked for",
    "seed": "one repetition: it fixes the order of the data and all noise, the same for every method",
    "separated": "the difference is more than chance makes of it. Not separated does not mean equal",
}


def words() -> HTML:
    """The glossary."""
    return HTML(table(["word", "what it means here"], [[word, meaning] for word, meaning in WORDS.items()], "words"))
