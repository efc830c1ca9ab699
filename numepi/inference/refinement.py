"""Last phase of the dual solver where the flow follows its target: the fit goes on, while eta follows the constraints.

Maximum likelihood covers p* and leaks beyond it, so that the moments of the flow are off a little.  Each step simulates
a few samples of the flow, moves eta by a share of Newton's step against their violation, and fits the replay under the
shifted weights.  Gradients of T are not used: they do not feel the balance between modes, and tilt it.
"""

import numpy as np

from numepi.inference.problem import Stream

__all__ = ["Refinement"]

_RATE = 0.25  # of the learning rate, at the start
_MULTIPLIER_RATE = 0.02  # share of a Newton step that the multipliers take at each step


class Refinement:
    """Steps of the refinement on the state of a `numepi.inference.dual.Dual`."""

    def __init__(self, engine):
        self.engine = engine
        self.n_steps = engine.settings.refine_steps

    def take(self, steps):
        """Take the steps of these numbers; stop early where the engine fails."""
        engine = self.engine
        draw = engine.resampler(engine.dual.weights(engine.replay), engine.generator(Stream.REFINE, steps[0]))
        # At the dual's optimum: at shifted multipliers a small covariance would make the next shift larger yet.
        weights = engine.dual.weights(engine.replay, engine.dual.optimal_eta)
        newton = np.linalg.pinv(np.atleast_2d(np.cov(engine.replay.violation.T, aweights=weights, ddof=0)))
        for number in steps:
            sample = engine.simulate_flow(number, with_jacobian=False)
            if sample is None or not engine.descend(
                engine.likelihood_gradient(draw()), _RATE * engine.decay(number / self.n_steps)
            ):
                return
            engine.dual.eta = engine.dual.eta - _MULTIPLIER_RATE * newton @ sample.violation.mean(axis=0)
            engine.record_sample(sample)
