"""Every circuit in numba's CUDA simulator against the CPU: the drivers, indices, blocks and reductions."""

import dataclasses

import numpy as np
import pytest

import numepi as ne
from numepi.simulation import cuda
from numepi.simulation.lanes import Job, Observation
from tests.simulation.test_lanes import TOY, ToyConstants, keep, keep_tangent, last_less_first

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


def given_noise(circuit, n, rng):
    shapes = {
        "sc": {"x0_noise": (n, 2, 3, 4), "noise": (n, 2, 3, 75, 4)},
        "stg": {"noise": (n, 80, 5)},
        "v1": {"x0": (n, 2, 4), "noise": (n, 2, 170, 4)},
        "rnn": {"noise": (n, 2, 10, 2)},
    }[circuit.name]
    noise = {name: rng.normal(0, 1, shape) for name, shape in shapes.items()}
    if "x0" in noise:
        noise["x0"] = 15 + noise["x0"]
    return noise


@pytest.mark.parametrize("name", ["rnn", "sc", "stg", "v1"])
def test_given_noise(name, rng):
    circuit, bound = CIRCUITS[name]
    z = draw(circuit, 2, rng)
    noise = given_noise(circuit, 2, rng)
    f, jacobian = circuit.statistics_and_jacobian(z, noise=noise)
    f_cuda, jacobian_cuda = circuit.statistics_and_jacobian(z, noise=noise, device="cuda")
    assert error(f_cuda, f) <= bound and error(jacobian_cuda, jacobian) <= bound


@pytest.fixture
def device():
    from numepi.simulation.cuda.memory import memory

    device = memory()
    yield device
    device.limit = None
    device.free()


@pytest.mark.parametrize("circuit", [ne.circuits.SC(trials=2, dt=0.2), ne.circuits.RankTwoRNN(3)], ids=["sc", "rnn"])
@pytest.mark.parametrize("with_noise", [False, True])
def test_no_number_depends_on_how_a_batch_is_cut(circuit, with_noise, device, rng):
    z = draw(circuit, 5, rng)
    shapes = {"sc": {"x0_noise": (5, 2, 2, 4), "noise": (5, 2, 2, 9, 4)}, "rnn": {"noise": (5, 2, 3, 2)}}[circuit.name]
    noise = {name: rng.normal(0, 1, shape) for name, shape in shapes.items()} if with_noise else None
    device.free()
    whole = circuit.statistics_and_jacobian(z, rng=KEY, noise=noise, device="cuda")
    device.limit = 0.5 * sum(buffer.nbytes for buffer in device._buffers.values())
    sizes = []
    original = device.rows_that_fit
    device.rows_that_fit = lambda *arguments: sizes.append(original(*arguments)) or sizes[-1]
    cut = circuit.statistics_and_jacobian(z, rng=KEY, noise=noise, device="cuda")
    del device.rows_that_fit
    assert 1 <= sizes[0] < 5
    for a, b in zip(cut, whole, strict=True):
        np.testing.assert_array_equal(a, b)


def test_too_little_memory_is_said_before_any_work(device, rng):
    device.limit = 50
    for circuit in (ne.circuits.SC(trials=2), ne.circuits.RankTwoRNN()):
        with pytest.raises(MemoryError, match=r"one parameter of '(sc|rnn)' takes .* MiB free: use fewer trials"):
            circuit.statistics(draw(circuit, 2, rng), device="cuda")


def test_buffers_are_kept_while_they_are_large_enough(device, rng):
    circuit = ne.circuits.SC(trials=2, dt=0.2)
    z = draw(circuit, 4, rng)
    first = circuit.statistics(z, rng=KEY, device="cuda")
    kept = dict(device._buffers)
    assert kept
    np.testing.assert_array_equal(circuit.statistics(z[:2], rng=KEY, device="cuda"), first[:2])
    assert all(device._buffers[name] is buffer for name, buffer in kept.items())
    circuit.statistics(np.concatenate([z, z]), rng=KEY, device="cuda")
    assert device._buffers["results"].nbytes > kept["results"].nbytes
    device.free()
    assert not device._buffers


def test_rows_that_diverge_are_nan_on_their_own(rng):
    circuit = ne.circuits.V1(trials=2, steps=160)
    z = draw(circuit, 3, rng)
    z[1] = 1e200
    with np.errstate(all="ignore"):
        f, jacobian = circuit.statistics_and_jacobian(z, rng=KEY, device="cuda")
    assert np.isnan(f[1]).all() and np.isnan(jacobian[1]).all()
    reference = circuit.statistics_and_jacobian(z[[0, 2]], rng=KEY, first_index=0)[0]
    np.testing.assert_allclose(f[0], reference[0], rtol=1e-13)
    assert np.isfinite(f[2])


def test_single_precision(rng):
    # the simulator computes some single-precision operations in double
    circuit = ne.circuits.V1(trials=2, steps=160)
    z = draw(circuit, 2, rng)
    f, jacobian = circuit.statistics_and_jacobian(z, rng=KEY, precision="float32")
    f_cuda, jacobian_cuda = circuit.statistics_and_jacobian(z, rng=KEY, precision="float32", device="cuda")
    assert error(f_cuda, f) <= 1e-5 and error(jacobian_cuda, jacobian) <= 1e-4


def test_a_problem_of_infer_simulates_on_the_device(rng):
    from numepi.inference.problem import Problem, Stream

    circuit = ne.circuits.LDS()
    z = draw(circuit, 3, rng)
    batches = [
        Problem(circuit, circuit.emergent_property(), np.random.SeedSequence(0), device=device).simulate(
            z, Stream.NOISE, 0, with_jacobian=True
        )
        for device in ("cpu", "cuda")
    ]
    assert error(batches[1].T, batches[0].T) <= 1e-14
    assert error(batches[1].jacobian, batches[0].jacobian) <= 1e-14


def test_an_empty_batch():
    circuit = ne.circuits.SC(trials=2)
    f, jacobian = circuit.statistics_and_jacobian(np.empty((0, 4)), device="cuda")
    assert f.shape == (0, 2) and jacobian.shape == (0, 2, 4)


def toy_job(summarised):
    """Jobs of circuits that no CUDA code knows: two tasks and statistics, five normals a step, a drive, a summary."""
    simulator = TOY
    if summarised:
        simulator = dataclasses.replace(
            TOY, name="toy_summary", statistic=None, statistic_tangent=None, summary=last_less_first,
            observation=Observation(1, keep, 2, keep_tangent, keep_all=True),
        )  # fmt: skip
    drive = np.linspace(-1, 1, 7)[:, None]
    return Job(simulator, trials=5, drive=drive, constants=ToyConstants(0.3), observe_from=2)


@pytest.mark.parametrize("summarised", [False, True])
def test_a_new_circuit_has_its_kernels_for_free(summarised, rng):
    job, z = toy_job(summarised), rng.uniform(-0.8, 0.8, (4, 2))
    f, jacobian = job.statistics(z, (123, 456), 9, True)
    f_cuda, jacobian_cuda = cuda.statistics(job, z, (123, 456), 9, True)
    assert error(f_cuda, f) <= 1e-14 and error(jacobian_cuda, jacobian) <= 1e-14
    np.testing.assert_array_equal(cuda.statistics(job, z, (123, 456), 9, False)[0], f_cuda)


def traced_models():
    """Models from equations: noise and tasks; events with resets; loops over long vectors."""
    from benchmarks.dynamics_models.large import ring
    from benchmarks.dynamics_models.sc import sc

    bouncing = ne.Dynamics(
        lambda x, z, t: {"v": z.a - 0.1 * x.v}, states={"v": ne.initial.uniform(0.0, 0.5)},
        parameters={"a": (0.5, 2.0), "b": (0.0, 0.2)},
        events={"spike": ne.Event(lambda x, z, t: x.v - 1.0, reset=lambda x, z, t: {"v": z.b}, refractory=0.2)},
        statistics={"interval": ne.observe.mean_interval("spike"), "mean": ne.observe.mean("v")},
        dt=0.1, duration=6.0, trials=2,
    )  # fmt: skip
    return {"sc": sc(2), "bouncing": bouncing, "ring": ring(16)}


@pytest.mark.parametrize("name", ["sc", "bouncing", "ring"])
def test_models_from_equations(name, rng):
    circuit = traced_models()[name]
    z = draw(circuit, 2, rng)
    f, jacobian = circuit.statistics_and_jacobian(z, rng=KEY, first_index=3)
    f_cuda, jacobian_cuda = circuit.statistics_and_jacobian(z, rng=KEY, first_index=3, device="cuda")
    assert error(f_cuda, f) <= 1e-13 and error(jacobian_cuda, jacobian) <= 1e-9  # steep decisions
    if name == "sc":
        noise = {"initial": rng.normal(0, 1, (2, 2, 3, 4)), "noise": rng.normal(0, 1, (2, 2, 3, 74, 4))}
        given, on_cuda = (circuit.statistics(z, noise=noise, device=device) for device in ("cpu", "cuda"))
        assert error(on_cuda, given) <= 1e-13
