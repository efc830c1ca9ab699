"""Every circuit in numba's CUDA simulator against the CPU: the drivers, indices, blocks and reductions."""

import numpy as np
import pytest

import numepi as ne

# The bound on the error, relative to the largest number of the array.  The simulator runs the scalar functions as the
# CPU does, so what differs is the order of sums alone.
CIRCUITS = {
    "lds": (ne.circuits.LDS(), 1e-14),
    "rnn": (ne.circuits.RankTwoRNN(), 1e-13),
    "rnn, N = 3": (ne.circuits.RankTwoRNN(n_neurons=3), 1e-13),
    "sc": (ne.circuits.SC(trials=3), 1e-14),
    "sc silenced, right": (ne.circuits.SC(trials=2, silencing=0.6, window="choice", stimulus="right"), 1e-14),
    "stg": (ne.circuits.STG(steps=80, dt=0.05), 1e-13),
    "v1": (ne.circuits.V1(trials=2, steps=170), 1e-13),
}
KEY = 11

# in Python, kernels run on NumPy scalars, which warn where compiled arithmetic just overflows
pytestmark = pytest.mark.filterwarnings("ignore:.* encountered in scalar:RuntimeWarning")


@pytest.fixture(params=CIRCUITS)
def case(request, rng):
    circuit, bound = CIRCUITS[request.param]
    return circuit, draw(circuit, 3, rng), bound


def draw(circuit, n, rng):
    return circuit.support.from_line(rng.standard_normal((n, len(circuit.parameter_names))))[0]


def error(value, reference):
    assert value.shape == reference.shape and value.dtype == reference.dtype
    return np.abs(value - reference).max() / np.abs(reference).max()


def test_value_and_jacobian_equal_the_cpu(case):
    circuit, z, bound = case
    f, jacobian = circuit.statistics_and_jacobian(z, rng=KEY, first_index=5)
    f_cuda, jacobian_cuda = circuit.statistics_and_jacobian(z, rng=KEY, first_index=5, device="cuda")
    assert error(f_cuda, f) <= bound and error(jacobian_cuda, jacobian) <= bound
    np.testing.assert_array_equal(circuit.statistics(z, rng=KEY, first_index=5, device="cuda"), f_cuda)
