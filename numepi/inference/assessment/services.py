"""What results call (`numepi.result.Services`): the mathematics of answers, handed to each result."""

import itertools

import numpy as np

from numepi.inference.assessment.answer import assess
from numepi.inference.assessment.correction import NotReached, corrected_sample, moved_sample
from numepi.inference.noise import replicated_statistics
from numepi.inference.problem import Problem, Stream
from numepi.random_streams import seed_sequence
from numepi.worker_threads import one_blas_thread

__all__ = ["ASSESSMENT", "Assessment"]

_SURPLUS = 1.1  # times the draws that should do: most batches are then the last
_FEW = 0.1  # effective share of weighted proposals, below which particles are moved, in so many dimensions and more
_MANY_DIMENSIONS = 20
_LEAST_WORKING = 1e-3  # share of draws that work, from where it is worth waiting for them


class Assessment:
    """The services of `numepi.result.Result`; without state, so that all results share one."""

    def corrected_samples(self, result, n, rng):
        """See `numepi.result.Result.sample_corrected`."""
        _require_circuit(result, "corrected samples")
        _require_prior(result, "corrected samples")
        problem = Problem(result.circuit, result.property, seed_sequence(rng), result.prior)
        flow, theta = result.distribution.flow, result.distribution.theta
        eta = np.array(result.certificate.multipliers)
        gradient = result.configuration["gradient"]
        draws = None
        if result.certificate.method != "particles":
            start = flow.initial_parameters(0)
            draws = corrected_sample(problem, flow, theta, start, eta, n, result.certificate.replicates)
            if draws[1] >= _FEW or flow.dim < _MANY_DIMENSIONS or not gradient:
                return draws
        problem.with_gradient = gradient
        try:
            with one_blas_thread():
                return moved_sample(problem, flow, theta, eta, n)
        except NotReached:
            if draws is None:
                raise
            return draws

    def assessed(self, result, n, rng, certified, method="auto", budget=None):
        """See `numepi.result.Result.score` and `numepi.result.Result.certify`."""
        _require_circuit(result, "scores and certificates")
        _require_prior(result, "scores and certificates")
        how = {name: result.configuration[name] for name in ("precision", "device")}
        how["with_gradient"] = result.configuration["gradient"]
        problem = Problem(result.circuit, result.property, seed_sequence(rng), result.prior, **how)
        with one_blas_thread():
            return assess(result, problem, n, certified, method=method, budget=budget, anew=True)

    def working_samples(self, result, n, rng):
        """See `numepi.result.Result.sample`: draws are simulated until ``n`` of them work."""
        _require_circuit(result, "draws that work")
        problem = Problem(result.circuit, result.property, seed_sequence(rng), result.prior)
        flow, theta = result.distribution.flow, result.distribution.theta
        z = np.empty((0, flow.dim))
        share = (1 - np.nan_to_num(result.failing_share)) * (1 - np.nan_to_num(result.outside_share))  # NaN: not scored
        replicates = 1  # of the draws whose place in the property's region is asked
        if problem.constraints.region is not None and result.certificate is not None:
            replicates = result.certificate.replicates
        for batch in itertools.count():
            size = int(np.ceil(_SURPLUS * (n - len(z)) / max(share, _LEAST_WORKING)))
            # Iterations 0 to 2 of the stream are those of corrected samples.
            drawn, _ = flow.sample(theta, problem.normals(Stream.CORRECTION, 3 + 2 * batch, size))
            works, _ = replicated_statistics(
                problem, drawn, Stream.CORRECTION, 4 + 2 * batch, replicates, confined=True
            )
            z = np.concatenate([z, drawn[works]])
            if len(z) >= n:
                return z[:n]
            share = len(z) * replicates / problem.n_simulations
            if share < _LEAST_WORKING:
                raise ValueError(
                    f"valid_only = True, but {len(z)} of {problem.n_simulations:,} draws work: the distribution is not "
                    "one of parameters that can be simulated"
                )

    def report(self, result, path, data, n):
        """See `numepi.result.Result.report`."""
        from numepi.report import (  # which draws, and so knows much more than others need of a result
            measurements,
            write_report,
        )

        names = result.statistic_names
        data = result.property.measured(names) if data is None else measurements(data, names)
        fresh = None
        if result.circuit is not None and (result.prior is not None or result.configuration["prior"] is None):
            how = {name: result.configuration[name] for name in ("precision", "device")}
            problem = Problem(
                result.circuit, result.property, seed_sequence(0), result.prior, with_gradient=False, **how
            )
            drawn, _ = result.distribution.flow.sample(result.distribution.theta, problem.normals(Stream.REPORT, 0, n))
            fresh = problem.simulate(drawn, Stream.REPORT, 1).f, n
        write_report(result, path, fresh, data)


def _require_circuit(result, what):
    if result.circuit is None:
        raise ValueError(f"{what} need simulations: load the result with circuit=...")


def _require_prior(result, what):
    if result.prior is None and result.configuration["prior"] is not None:
        raise ValueError(f"{what} need the prior's density: load the result with prior=...")


ASSESSMENT = Assessment()
