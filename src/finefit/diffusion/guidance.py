"""Forms of guidance: pure functions of what a network says of a label and of what guidance points away from.

Each takes what is predicted for the label and for the reference, `[n, c, h, w]`, the scale w, the noised latents x of
the same shape, the time t and the process, and gives the prediction to go by; w = 1 is no guidance. Below, c and u are
the two predictions.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from finefit.processes import Process

Form = Callable[[Tensor, Tensor, float, Tensor, float, Process], Tensor]


def plain(label: Tensor, reference: Tensor, scale: float, x: Tensor, t: float, process: Process) -> Tensor:
    """u + w (c - u): classifier-free guidance (Ho and Salimans 2021), as both papers sample."""
    return reference + scale * (label - reference)


def zero_star(label: Tensor, reference: Tensor, scale: float, x: Tensor, t: float, process: Process) -> Tensor:
    """CFG-Zero* (Fan et al. 2025, 2503.18886): s u + w (c - s u), s = <c, u> / |u|^2; the first one moves nothing."""
    still = process.still(x, t)
    return plain(label, projected(label, reference), scale, x, t, process) if still is None else still


def apg(label: Tensor, reference: Tensor, scale: float, x: Tensor, t: float, process: Process) -> Tensor:
    """Adaptive projected guidance (Sadat et al. 2025, arXiv 2410.02416): c + (w - 1) d, d the part of c - u across x0.

    The part along the x0 that c implies, which over-saturates, is left out. The authors' limit on the norm of c - u and
    its momentum are numbers to be tuned for each network, and are not used.
    """
    difference = label - reference
    return label + (scale - 1) * (difference - projected(difference, process.implied(label, x, t)))


def projected(a: Tensor, b: Tensor) -> Tensor:
    """The part of each picture of `a` along that of `b`, both `[n, ...]`."""
    flat, onto = a.flatten(1), b.flatten(1)
    share = (flat * onto).sum(1) / onto.square().sum(1).clamp(min=1e-12)
    return share.view(-1, *[1] * (b.dim() - 1)) * b
