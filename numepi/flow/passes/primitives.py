"""`sample` and `log_prob` of flows as autograd primitives whose derivatives are the compiled pullbacks.

First derivatives run compiled.  Where those are to be differentiated again, the flow's definitions take over, so that
derivatives of any order are right.
"""

from autograd import make_vjp
from autograd.builtins import tuple as traced_tuple
from autograd.extend import defvjp_argnums, primitive
from autograd.tracer import isbox

__all__ = ["log_prob", "sample"]


@primitive
def sample(flow, theta, base, kept):
    """Z and log q; the pullback is left in the list ``kept`` for the derivative."""
    z, log_q, pullback = flow.sample_with_full_pullback(theta, base)
    kept[:] = [pullback]
    return z, log_q


@primitive
def log_prob(flow, theta, z, kept):
    """Log q; the pullback is left in the list ``kept`` for the derivative."""
    log_q, pullback = flow.log_prob_with_pullback(theta, z)
    kept[:] = [pullback]
    return log_q


def _sample_vjp(argnums, ans, args, kwargs):
    flow, theta, base, kept = args

    def vjp(g):
        grad_z, grad_log_q = g[0], g[1]
        if any(isbox(value) for value in (theta, base, grad_z, grad_log_q)):
            return _through_definition(
                lambda theta, base: traced_tuple(flow.sample_definition(theta, base)), theta, base, g, argnums
            )
        gradients = kept[0](grad_z, grad_log_q)
        return tuple(gradients[argnum - 1] for argnum in argnums)

    return vjp


def _log_prob_vjp(argnums, ans, args, kwargs):
    flow, theta, z, kept = args

    def vjp(g):
        if any(isbox(value) for value in (theta, z, g)):
            return _through_definition(flow.log_prob_definition, theta, z, g, argnums)
        gradients = kept[0](g)
        return tuple(gradients[argnum - 1] for argnum in argnums)

    return vjp


def _through_definition(definition, theta, x, g, argnums):
    pull, _ = make_vjp(lambda both: definition(*both))((theta, x))
    gradients = pull(g)
    return tuple(gradients[argnum - 1] for argnum in argnums)


defvjp_argnums(sample, _sample_vjp)
defvjp_argnums(log_prob, _log_prob_vjp)
