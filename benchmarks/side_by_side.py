"""Ratios of run times measured side by side, so that a noisy machine slows both alike."""

import time

__all__ = ["ratio_of_times"]


def ratio_of_times(slow, fast, repeats=15, warm_up=2):
    """Time of ``slow()`` over time of ``fast()``: calls alternate and the least time of each counts."""
    for _ in range(warm_up):
        slow(), fast()
    best = [float("inf"), float("inf")]
    for _ in range(repeats):
        for i, function in enumerate((slow, fast)):
            start = time.perf_counter()
            function()
            best[i] = min(best[i], time.perf_counter() - start)
    return best[0] / best[1]
