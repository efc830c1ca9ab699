"""What results call (`numepi.result.Services`): the mathematics of answers, handed to each result."""

import numpy as np

from numepi.inference.assessment.correction import corrected_sample
from numepi.inference.problem import Problem
from numepi.random_streams import seed_sequence

__all__ = ["ASSESSMENT", "Assessment"]


class Assessment:
    """The services of `numepi.result.Result`; without state, so that all results share one."""

    def corrected_samples(self, result, n, rng):
        """See `numepi.result.Result.sample_corrected`."""
        if result.circuit is None:
            raise ValueError("corrected samples need simulations: load the result with circuit=...")
        if result.prior is None and result.configuration["prior"] is not None:
            raise ValueError("corrected samples need the prior's density: load the result with prior=...")
        problem = Problem(result.circuit, result.property, seed_sequence(rng), result.prior)
        flow, theta = result.distribution.flow, result.distribution.theta
        eta = np.array(result.certificate.multipliers)
        start = flow.initial_parameters(0)
        return corrected_sample(problem, flow, theta, start, eta, n, result.certificate.replicates)


ASSESSMENT = Assessment()
