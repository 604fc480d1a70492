"""Means, medians and percentiles of lists that may be empty."""

from __future__ import annotations

import math
from collections.abc import Sequence

NAN = math.nan


def mean(values: Sequence[float]) -> float:
    """Return the mean; NaN of nothing."""
    return math.fsum(values) / len(values) if values else NAN


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` % of the values do not exceed; NaN of nothing."""
    if not values:
        return NAN
    place = math.ceil(share / 100 * len(values)) - 1
    return sorted(values)[max(place, 0)]


def median(values: Sequence[float]) -> float:
    """Return the median; NaN of nothing."""
    ranked = sorted(values)
    half = len(ranked) // 2
    if len(ranked) % 2 == 0:
        return mean(ranked[half - 1 : half + 1])
    return ranked[half]
