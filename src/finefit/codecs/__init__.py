"""Codecs between pictures and latents; one file per codec, found by its name.

A codec module offers `load(weights)`, which gives an object with `factor`, `channels`, `encode(images)` and
`decode(latents)`. The constants that scale latents to unit variance live inside the codec and nowhere else.
"""

from __future__ import annotations

from importlib import import_module

from finefit import sources


def load(settings: dict):
    """The codec that a job's settings name, with its verified weights."""
    return import_module(f"finefit.codecs.{settings['name']}").load(sources.fetch(settings["weights"]["name"]))
