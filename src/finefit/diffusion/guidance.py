"""Forms of guidance: pure functions of what a network says of a label and of what guidance points away from.

Each takes the noise predicted for the label and for the reference, `[n, c, h, w]`, the scale w, the noised latents x of
the same shape and the training timestep t, and gives the noise to go by; w = 1 is no guidance. Below, c and u are the
two predictions, and x = alpha x0 + sigma noise.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from finefit.diffusion.process import TRAIN_STEPS, linear_alphas_cumprod

Form = Callable[[Tensor, Tensor, float, Tensor, int], Tensor]


def plain(label: Tensor, reference: Tensor, scale: float, x: Tensor, t: int) -> Tensor:
    """u + w (c - u): classifier-free guidance (Ho and Salimans 2021), as both papers sample."""
    return reference + scale * (label - reference)


def zero_star(label: Tensor, reference: Tensor, scale: float, x: Tensor, t: int) -> Tensor:
    """CFG-Zero* (Fan et al. 2025, 2503.18886): s u + w (c - s u), s = <c, u> / |u|^2; the first step moves nothing.

    It was made for networks that predict a velocity, which the first step sets to zero. The velocity of a network that
    predicts noise is alpha noise - sigma x0 (Salimans and Ho 2022), which vanishes where the noise is sigma x.
    """
    if t == TRAIN_STEPS - 1:  # where every sampler starts
        return float((1 - linear_alphas_cumprod()[t]) ** 0.5) * x
    return plain(label, projected(label, reference), scale, x, t)


def apg(label: Tensor, reference: Tensor, scale: float, x: Tensor, t: int) -> Tensor:
    """Adaptive projected guidance (Sadat et al. 2025, arXiv 2410.02416): c + (w - 1) d, d the part of c - u across x0.

    The part along the x0 that c implies, which over-saturates, is left out. The authors' limit on the norm of c - u and
    its momentum are numbers to be tuned for each network, and are not used.
    """
    difference = label - reference
    x0 = x - float((1 - linear_alphas_cumprod()[t]) ** 0.5) * label  # times alpha, which no projection sees
    return label + (scale - 1) * (difference - projected(difference, x0))


def projected(a: Tensor, b: Tensor) -> Tensor:
    """The part of each picture of `a` along that of `b`, both `[n, ...]`."""
    flat, onto = a.flatten(1), b.flatten(1)
    share = (flat * onto).sum(1) / onto.square().sum(1).clamp(min=1e-12)
    return share.view(-1, *[1] * (b.dim() - 1)) * b
