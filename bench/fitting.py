"""What the benches of decisions share: areas under curves, and a logistic regression without a library."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
FOLDS = 8


def auc(positive: NDArray[np.bool_], scores: Numbers) -> float:
    """The chance that a positive scores higher than a negative; ties count half."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    ones = int(positive.sum())
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(positive) - ones)))


def balanced(positive: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    """The mean of the shares that are right among positives and among negatives."""
    return float((said[positive].mean() + (~said)[~positive].mean()) / 2)


def best_balanced(positive: NDArray[np.bool_], scores: Numbers) -> float:
    """The balanced accuracy at the threshold that suits these very data best: an upper bound."""
    return max(balanced(positive, scores >= threshold) for threshold in scores)


def logistic(features: Numbers, positive: NDArray[np.bool_], ridge: float = 1.0) -> Numbers:
    """Weights of the features and, last, the bias, in the features' own units."""
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    rows = np.column_stack([(features - mean) / spread, np.ones(len(features))])
    held = ridge * np.diag([*np.ones(features.shape[1]), 1e-6])
    weights = np.zeros(rows.shape[1])
    for _ in range(50):
        chance = 1 / (1 + np.exp(-rows @ weights))
        slope = rows.T @ (chance - positive) + held @ weights
        weights -= np.linalg.solve((rows.T * (chance * (1 - chance))) @ rows + held, slope)
    return np.append(weights[:-1] / spread, weights[-1] - (weights[:-1] * mean / spread).sum())


def scored(features: Numbers, weights: Numbers) -> Numbers:
    """The log odds of each row."""
    odds: Numbers = features @ weights[:-1] + weights[-1]
    return odds


def by_groups(features: Numbers, positive: NDArray[np.bool_], groups: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Each row by weights fitted without its group, and the threshold that loses 5 % of their positives."""
    names = np.random.default_rng(0).permutation(sorted(set(groups)))
    scores, thresholds = np.zeros(len(positive)), np.zeros(len(positive))
    for fold in range(FOLDS):
        out = np.isin(groups, names[fold::FOLDS])
        weights = logistic(features[~out], positive[~out])
        scores[out] = scored(features[out], weights)
        thresholds[out] = np.quantile(scored(features[~out], weights)[positive[~out]], 0.05)
    return scores, thresholds
