"""Piecewise linear encoding: the place of a number among quantiles of its training values.

Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022. A
place of k + f is the fraction f of the way through bin k. From it the model computes the paper's vector
``clip(place - k, 0, 1)`` for each bin k, so that a packed batch has one column per number. Unlike in the paper, values
outside the training range are as its ends, so that an outlier in a request does not dominate all other inputs.
"""

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Floats

SAMPLE = 100_000
"""Rows of which the edges of several columns are fitted."""


def quantile_edges(values: Floats, bins: int, weights: Floats | None = None) -> Floats:
    """Edges [bins + 1] of bins with about equal weight; zeros without values [N]. Edges may repeat."""
    if not len(values):
        return np.zeros(bins + 1)
    shares = np.linspace(0, 1, bins + 1)
    if weights is None:
        edges: Floats = np.quantile(values, shares)
        return edges
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    if not reached[-1]:
        return np.zeros(bins + 1)
    at = np.minimum(np.searchsorted(reached, shares * reached[-1]), len(values) - 1)
    weighted: Floats = values[order[at]]
    return weighted


def fitted_edges(inputs: NDArray[np.float32], weights: Floats, bins: int) -> Floats:
    """Edges [C, bins + 1] of each column of inputs [N, C] with weights [N], of at most :data:`SAMPLE` rows."""
    if len(inputs) > SAMPLE:
        rows = np.random.default_rng(0).choice(len(inputs), SAMPLE, replace=False)
        inputs, weights = inputs[rows], weights[rows]
    return np.stack([quantile_edges(column.astype(np.float64), bins, weights) for column in inputs.T])


def placed(inputs: NDArray[np.float32], edges: Floats) -> NDArray[np.float32]:
    """Places [N, C] of inputs [N, C] among the edges [C, B + 1] of their columns."""
    columns = [places(column.astype(np.float64), own) for column, own in zip(inputs.T, edges, strict=True)]
    return np.stack(columns, axis=1).astype(np.float32)


def places(values: Floats, edges: Floats) -> Floats:
    """Places [N] of values [N] among edges [B + 1], from 0 to B; the middle for NaN, and 0 if all edges are equal."""
    if edges[0] == edges[-1]:
        return np.zeros(len(values))
    bins = len(edges) - 1
    below = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, bins - 1)
    widths = edges[below + 1] - edges[below]
    fractions = np.where(widths > 0, (values - edges[below]) / np.where(widths > 0, widths, 1.0), 0.0)
    found: Floats = np.where(np.isnan(values), bins / 2, below + np.clip(fractions, 0.0, 1.0))
    return found
