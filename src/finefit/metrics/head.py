"""A linear classifier on frozen features, fitted to real training pictures: what the features know of classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finefit.jobs import readers
from finefit.jobs.arrays import Rows
from finefit.metrics import PART_BYTES, in_parts

MOST = 50_000  # training pictures that are fitted, drawn at random
ITERATIONS, TOLERANCE = 300, 1e-4
WHOLE = 2**27  # logits that scikit-learn may hold, twice: a gigabyte each


@dataclass(frozen=True)
class Head:
    """Weights `[classes, d]` and biases `[classes]` on features less `mean`, over `spread`, both `[d]`."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    biases: np.ndarray

    def classes_of(self, features: Rows) -> np.ndarray:
        """The class id `[n]` that each row of features `[n, d]` is taken for."""
        named = [
            (((part - self.mean) / self.spread) @ self.weights.T + self.biases).argmax(1)
            for part in in_parts(features, len(self.biases))
        ]
        return np.concatenate([np.zeros(0, np.int64), *named])


def fit(features: Rows, labels: np.ndarray, classes: int) -> Head:
    """Logistic regression (scikit-learn's, with its default penalty) on standardised features.

    Args:
        features: `[n, d]` of training pictures.
        labels: their class ids `[n]`; a class without a picture is never named.
        classes: how many there are.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).permutation(len(features))[:MOST]
    features, labels = np.asarray(features[rows], np.float64), np.asarray(labels)[rows]
    scaler = StandardScaler().fit(features)
    weights, biases = np.zeros((classes, features.shape[1])), np.full(classes, -np.inf)
    known, places = np.unique(labels, return_inverse=True)
    biases[known] = 0.0
    if len(known) * len(features) > WHOLE:
        weights[known], biases[known] = fit_in_parts(scaler.transform(features), places, len(known))
    elif len(known) > 1:
        fitted = LogisticRegression(max_iter=ITERATIONS).fit(scaler.transform(features), labels)
        rows = known if len(known) > 2 else known[1:]  # of two classes scikit-learn keeps the second one's
        weights[rows], biases[rows] = fitted.coef_, fitted.intercept_
    return Head(scaler.mean_, scaler.scale_, weights, biases)


def fit_in_parts(features: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """What scikit-learn minimises, minimised as it does, but with the logits of a part of the rows at a time.

    Of 50,000 pictures in 10,000 classes scikit-learn would hold 8 GB of logits and take a day of one core; here they
    are taken in single precision on the job's device.

    Args:
        features: standardised, `[n, d]`.
        labels: `[n]`, 0 to `classes` - 1.

    Returns:
        Weights `[classes, d]` and biases `[classes]`.
    """
    import torch
    from scipy.optimize import minimize
    from torch.nn import functional as F

    from finefit.jobs.devices import device_here

    device, (count, width) = device_here(), features.shape
    rows = torch.from_numpy(features).float().to(device)
    answers = torch.from_numpy(labels).to(device)
    step = max(1, PART_BYTES // (4 * classes))
    penalty = 1 / count  # of half the squared weights, beside the mean over rows: C = 1

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        free = torch.from_numpy(values.reshape(classes, width + 1)).float().to(device).requires_grad_()
        value = penalty / 2 * free[:, :-1].square().sum()
        value.backward()
        total = value.item()
        for part, targets in zip(rows.split(step), answers.split(step), strict=True):
            mine = F.cross_entropy(F.linear(part, free[:, :-1], free[:, -1]), targets, reduction="sum") / count
            mine.backward()
            total += mine.item()
        return total, free.grad.double().cpu().numpy().ravel()

    options = {"maxiter": ITERATIONS, "maxls": 50, "gtol": TOLERANCE, "ftol": 64 * np.finfo(float).eps}
    start = np.zeros(classes * (width + 1))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x.reshape(classes, width + 1)
    return found[:, :-1], found[:, -1]


def save(head: Head, path: Path) -> None:
    """Write a head to an npz file."""
    with open(path, "wb") as file:
        np.savez(file, **vars(head))


def load(path: Path) -> Head:
    """The head that `save` wrote to `path`."""
    with readers.arrays(path) as arrays:
        return Head(**arrays)
