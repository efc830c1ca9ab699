"""A user's code is given copies: what it writes into, or keeps, changes nothing of ours; masked means failed."""

import numpy as np
import pytest

import numepi as ne

QUICK = {
    "progress": False, "max_simulations": 600, "surrogate_first_steps": 100, "surrogate_steps": 50,
    "fit_steps": 20, "landing_steps": 20, "most_repeated": 0, "pool_size": 1000, "check_size": 1000,
    "score_draws": 2000,
}  # fmt: skip
SUPPORT = ne.Support([-1.0, -1.0], [1.0, 1.0])


class Careful(ne.circuits.Circuit):
    name, parameter_names, statistic_names, support = "plain", ("a", "b"), ("a", "b"), SUPPORT

    def __init__(self):
        pass

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        return z + 0.0, np.broadcast_to(np.eye(2), (len(z), 2, 2)) if with_jacobian else None


class Careless(Careful):
    """Writes into its argument, and answers with one array that it uses over and over."""

    buffer = np.empty((20_000, 2))

    def _evaluate(self, z, *arguments):
        f, jacobian = super()._evaluate(z, *arguments)
        z[:] = np.nan
        self.buffer[: len(f)] = f
        return self.buffer[: len(f)], jacobian


class Prior:
    description = "standard normal"

    def __init__(self, careless):
        self.careless = careless

    def log_prob(self, z):
        value = -0.5 * np.sum(z * z, axis=1)
        if self.careless:
            z[:] = 7.0
        return value

    def gradient(self, z):
        value = -z.copy()
        if self.careless:
            z[:] = 7.0
        return value


def moment(careless):
    def product(f):
        value = f[:, 0] * f[:, 1]
        if careless:
            f[:] = 7.0
        return value

    def jacobian(f):
        value = f[:, ::-1].copy()
        if careless:
            f[:] = 7.0
        return value

    return ne.Moment("product", product, 0.0, jacobian=jacobian)


def run(circuit, careless=False, **changes):
    prop = ne.EmergentProperty(mean=[0.1, 0.0], variance=[0.2, None], functions=[moment(careless)])
    return ne.infer(circuit, prop, rng=2, prior=Prior(careless), **(QUICK | changes))


def test_code_that_writes_into_its_arguments_changes_nothing():
    careful = run(Careful())

    def scribble(state):
        state.violation_in_stderr[:] = 0.0

    careless = run(Careless(), careless=True, callback=scribble)
    np.testing.assert_array_equal(careful.distribution.theta, careless.distribution.theta)
    assert careful.entropy == careless.entropy and careful.certificate == careless.certificate


@pytest.mark.parametrize("differentiable", [True, False])
def test_masked_statistics_are_failed_simulations(differentiable):
    def masked(z):
        return np.ma.array(z, mask=np.broadcast_to(z[:, :1] > 0.5, z.shape))

    def jacobian(z):
        return np.broadcast_to(np.eye(2), (len(z), 2, 2))

    circuit = ne.circuits.FunctionCircuit(
        masked, SUPPORT, statistic_names=["f", "g"], jacobian=jacobian if differentiable else None,
        differentiable=differentiable,
    )  # fmt: skip
    z = np.array([[0.7, 0.1], [0.2, 0.3]])
    np.testing.assert_array_equal(circuit.statistics(z), [[np.nan, np.nan], [0.2, 0.3]])

    class Masked(Careful):
        def _evaluate(self, z, *arguments):
            return masked(z), None

    np.testing.assert_array_equal(Masked().statistics(z), [[np.nan, np.nan], [0.2, 0.3]])
