"""Programs with loops over units and directions: the same numbers as unrolled ones, and as plain NumPy."""

import numpy as np
import pytest

import numepi as ne
from benchmarks.dynamics_models.large import ring
from benchmarks.dynamics_models.sc import sc
from numepi.circuits.dynamics import assembly


def test_loops_and_unrolled_code_agree(monkeypatch):
    z = np.array([[0.5, -0.3, 0.2, 0.1], [1.0, 0.2, -0.5, 0.3]])
    unrolled = sc(3).statistics_and_jacobian(z, rng=2)
    monkeypatch.setattr(assembly, "_UNROLLED_LINES", 0)
    looped = sc(3)
    source, _ = assembly._sources(looped._build, True, 16, assembly.Constants())
    assert "for p in range(4):" in source
    for a, b in zip(looped.statistics_and_jacobian(z, rng=2), unrolled):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_long_vectors_stay_loops():
    circuit = ring(48)
    z = np.array([[5.0, 1.0, 1.0], [3.0, 1.5, 0.7]])
    np.testing.assert_allclose(circuit.statistics(z[:1]), circuit.reference(z[:1]), rtol=1e-12)
    assert ne.check_jacobian(circuit, z, tolerance=1e-4).ok
    source, _ = assembly._sources(circuit._build, True, 16, assembly.Constants())
    assert source.count("\n") < 600


def test_every_operation_on_long_vectors():
    n = 20
    rng = np.random.default_rng(0)
    weights, table = rng.normal(size=(n, n)) / n, rng.normal(size=(3, n))

    def drift(x, z, t):
        a = np.roll(x.r, 1) - x.r[::-1] + np.where(x.r > 0.1, np.tanh(x.r), 0.1 * x.r)
        b = weights @ x.r + x.r @ weights.T * z.g + np.concatenate([x.r[: n // 2], x.q]) * np.sum(x.r)
        m = x.r.reshape(4, 5)
        c = (
            (m.sum(axis=0) @ np.ones((5, n))) * 0.01
            + (m @ np.ones((5, 5))).ravel() * z.k[:n]
            + (table * x.r).sum(axis=0)
        )
        return {"r": 0.1 * (a + b + c) - x.r + np.cos(t) * 0.1, "q": z.k[-2:].sum() * x.q - x.q * np.max(x.r[:3])}

    circuit = ne.Dynamics(
        drift, states={"r": np.linspace(-0.5, 0.5, n), "q": np.full(n // 2, 0.3)},
        parameters={"g": (-1.0, 1.0), "k": (np.full(n, -0.5), 0.5)},
        statistics={
            "r": ne.observe.final("r[3]"),
            "q": ne.observe.mean("q[1]"),
            "all": ne.observe.std(lambda x, z, t: x.r.mean()),
        },
        dt=0.1, duration=2.0, method="euler",
    )  # fmt: skip
    z = rng.uniform(-0.4, 0.4, (1, n + 1))
    f, jacobian = circuit.statistics_and_jacobian(z)
    np.testing.assert_allclose(f, circuit.reference(z), rtol=1e-10)
    step = 1e-5 * np.eye(n + 1)
    differences = (circuit.reference(z + step) - circuit.reference(z - step)) / 2e-5
    np.testing.assert_allclose(jacobian[0].T, differences, atol=1e-8 * np.abs(differences).max())


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_precision_of_loops(precision):
    f = ring(48).statistics([[5.0, 1.0, 1.0]], precision=precision)
    np.testing.assert_allclose(
        f, ring(48).reference(np.array([[5.0, 1.0, 1.0]])), rtol=1e-11 if precision == "float64" else 1e-4
    )


def test_values_that_change_places_in_loops():
    n = 14

    def step(x, z, t, xi):
        return {
            "a": x.b,
            "b": x.a,
            "c": x.c,
            "late": np.concatenate([x.late[1:], x.a[:1] + z.k]),
            "one": x.two,
            "two": x.one,
        }

    circuit = ne.Dynamics(
        step=step, parameters={"k": (0.5, 2.0), "start": (0.0, 1.0)}, dt=1.0, duration=5.0,
        states={
            "a": lambda z: z.start * np.arange(n), "b": np.full(n, -1.0), "c": np.ones(n), "late": np.zeros(n),
            "one": lambda z: z.start, "two": 7.0,
        },
        statistics={name: ne.observe.final(f"{name}[{n - 1}]") for name in ("a", "b", "c", "late")}
        | {name: ne.observe.final(name) for name in ("one", "two")},
    )  # fmt: skip
    f, jacobian = circuit.statistics_and_jacobian([[1.5, 0.5]])
    np.testing.assert_array_equal(f, [[-1.0, 6.5, 1.0, 1.5, 7.0, 0.5]])
    np.testing.assert_array_equal(jacobian[0].T, [[0, 0, 0, 1, 0, 0], [0, 13, 0, 0, 0, 1]])
