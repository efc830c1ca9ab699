"""Priors ready made: what `numepi.infer(prior=...)` takes, one distribution for each parameter or a correlated normal.

The factories have lower-case names and take numbers, for one parameter, or arrays (D,), for D independent ones, which
broadcast as scipy's do; `independent` joins them, and any frozen distribution of `scipy.stats`, in the circuit's order.
"""

from numepi.priors.factories import (
    beta,
    independent,
    log_uniform,
    multivariate_normal,
    normal,
    truncated_normal,
    uniform,
)
from numepi.priors.prior import Prior

__all__ = [
    "Prior",
    "beta",
    "independent",
    "log_uniform",
    "multivariate_normal",
    "normal",
    "truncated_normal",
    "uniform",
]
