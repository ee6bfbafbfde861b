"""A linear classifier on frozen features, fitted to real training pictures: what the features know of classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOST = 50_000  # training pictures that are fitted, drawn at random
ITERATIONS = 300


@dataclass(frozen=True)
class Head:
    """Weights `[classes, d]` and biases `[classes]` on features less `mean`, over `spread`, both `[d]`."""

    mean: np.ndarray
    spread: np.ndarray
    weights: np.ndarray
    biases: np.ndarray

    def classes_of(self, features: np.ndarray) -> np.ndarray:
        """The class id `[n]` that each row of features `[n, d]` is taken for."""
        return (((features - self.mean) / self.spread) @ self.weights.T + self.biases).argmax(1)


def fit(features: np.ndarray, labels: np.ndarray, classes: int) -> Head:
    """Logistic regression (scikit-learn's, with its default penalty) on standardised features.

    Args:
        features: `[n, d]` of training pictures.
        labels: their class ids `[n]`; a class without a picture is never named.
        classes: how many there are.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    rows = np.random.default_rng(0).permutation(len(features))[:MOST]
    features, labels = np.asarray(features, np.float64)[rows], np.asarray(labels)[rows]
    scaler = StandardScaler().fit(features)
    weights, biases = np.zeros((classes, features.shape[1])), np.full(classes, -np.inf)
    known = np.unique(labels)
    biases[known] = 0.0
    if len(known) > 1:
        fitted = LogisticRegression(max_iter=ITERATIONS).fit(scaler.transform(features), labels)
        rows = known if len(known) > 2 else known[1:]  # of two classes scikit-learn keeps the second one's
        weights[rows], biases[rows] = fitted.coef_, fitted.intercept_
    return Head(scaler.mean_, scaler.scale_, weights, biases)


def save(head: Head, path: Path) -> None:
    """Write a head to an npz file."""
    with open(path, "wb") as file:
        np.savez(file, **vars(head))


def load(path: Path) -> Head:
    """The head that `save` wrote to `path`."""
    with np.load(path) as arrays:
        return Head(**arrays)
