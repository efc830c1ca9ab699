"""What maps from the line to a support are made of, with derivatives for autograd: distribution functions, softplus."""

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from scipy import special

__all__ = ["expit", "log_logistic", "log_normal", "ndtr", "ndtri", "softplus", "softplus_inverse"]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)

ndtr = primitive(special.ndtr)
ndtri = primitive(special.ndtri)
expit = primitive(special.expit)
defvjp(ndtr, lambda ans, u: lambda g: g * anp.exp(log_normal(u)))
defvjp(ndtri, lambda ans, p: lambda g: g * anp.exp(-log_normal(ans)))
defvjp(expit, lambda ans, u: lambda g: g * ans * (1 - ans))


def log_normal(u):
    """Log density of the standard normal."""
    return -0.5 * u * u - _LOG_SQRT_2PI


def softplus(u):
    """log(1 + exp(u))."""
    return anp.logaddexp(0.0, u)


def log_logistic(u):
    """Log density of the standard logistic."""
    return -softplus(u) - softplus(-u)


def softplus_inverse(y):
    """log(exp(y) - 1), for small and for large y."""
    return y + anp.log(-anp.expm1(-y))
