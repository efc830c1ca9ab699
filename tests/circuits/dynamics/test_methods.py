"""Methods against exact solutions and scipy: values, orders, derivatives."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import numepi as ne
from numepi.circuits.dynamics import program


def van_der_pol(dt=0.01, method="rk4"):
    return ne.Dynamics(
        lambda x, z, t: {"v": x.w, "w": z.mu * (1 - x.v**2) * x.w - x.v}, states={"v": 2.0, "w": 0.0},
        parameters={"mu": (0.5, 2.0)}, events={"up": ne.Event(lambda x, z, t: x.v, direction=+1)},
        statistics={
            "period": ne.observe.mean_interval("up"), "sd": ne.observe.std("v", window="cycles of up"),
            "end": ne.observe.final("v"), "first": ne.observe.first_time("up"),
        },
        dt=dt, duration=40.0, observe_from=10.0, method=method,
    )  # fmt: skip


def exact_van_der_pol(mu):
    def crossing(t, y, mu):
        return y[0]

    crossing.direction = 1
    answer = solve_ivp(
        lambda t, y, mu: [y[1], mu * (1 - y[0] ** 2) * y[1] - y[0]], (0, 40), [2.0, 0.0], args=(mu,), events=crossing,
        rtol=1e-11, atol=1e-12, dense_output=True,
    )  # fmt: skip
    times = answer.t_events[0]
    times = times[times > 10]
    fine = np.linspace(times[0], times[-1], 200_001)
    v = answer.sol(fine)[0]
    return [np.diff(times).mean(), v[:-1].std(), answer.y[0, -1], times[0]]


def test_van_der_pol_against_scipy():
    circuit, z = van_der_pol(), np.array([[1.0], [1.5]])
    f = circuit.statistics(z)
    np.testing.assert_allclose(f, [exact_van_der_pol(mu) for (mu,) in z], atol=1e-5)
    assert ne.check_jacobian(circuit, z, tolerance=1e-6, step=1e-3).ok
    # halving the step twice divides every error by 2^4, those of event times and of integrals too
    coarse, middle, fine = (van_der_pol(dt).statistics(z) for dt in (0.05, 0.025, 0.005))
    orders = np.log2(np.abs(coarse - fine) / np.abs(middle - fine))
    assert np.all(orders > 3.5), orders


@pytest.mark.parametrize("method, order", [("euler", 1), ("heun", 2), ("rk4", 4), ("exponential-euler", 1)])
def test_order_of_methods_with_time_in_the_drift(method, order):
    def circuit(dt):
        return ne.Dynamics(
            lambda x, z, t: {"v": -z.a * x.v + np.sin(3 * t) * x.w, "w": -0.5 * x.w}, states={"v": 1.0, "w": 1.0},
            parameters={"a": (0.5, 2.0)}, statistics={"end": ne.observe.final("v")}, dt=dt, duration=2.0, method=method,
        )  # fmt: skip

    exact = solve_ivp(
        lambda t, y: [-1.3 * y[0] + np.sin(3 * t) * y[1], -0.5 * y[1]], (0, 2), [1.0, 1.0], rtol=1e-12, atol=1e-13
    ).y[0, -1]
    errors = [abs(circuit(dt).statistics([[1.3]])[0, 0] - exact) for dt in (0.025, 0.0125)]
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.3


def test_exponential_euler_is_exact_for_linear_equations_and_says_where_it_cannot_serve():
    circuit = ne.Dynamics(
        lambda x, z, t: (z.gain - x.v) / np.array([1.0, 2.0]), states={"v": np.zeros(2)},
        parameters={"gain": (0.0, 2.0)},
        statistics={"end": ne.observe.final("v")}, dt=0.5, duration=5.0, method="exponential-euler",
    )  # fmt: skip
    f, jacobian = circuit.statistics_and_jacobian([[1.5]])
    np.testing.assert_allclose(f[0], 1.5 * (1 - np.exp(-5.0 / np.array([1.0, 2.0]))), rtol=1e-12)
    np.testing.assert_allclose(jacobian[0, :, 0], f[0] / 1.5, rtol=1e-12)
    with pytest.raises(ValueError, match="the drift of v is not linear in v itself"):
        ne.Dynamics(
            lambda x, z, t: -z.a * x.v**3, states={"v": 1.0}, parameters={"a": (0.0, 1.0)},
            statistics={"end": ne.observe.final("v")}, dt=0.1, duration=1.0, method="exponential-euler",
        )  # fmt: skip


def test_a_map_with_tables_and_numpy_functions_of_time():
    table = ne.Table([0.0, 3.0, 6.0], [0.0, 3.0, 0.0])
    steps = ne.Table([0.0, 2.0], [[1.0, 0.0], [0.0, 1.0]], kind="previous")

    def step(x, z, t, xi):
        return {"v": z.decay * x.v + table(t) * steps(t) + np.interp(t, [0, 10], [0, 1]), "n": x.n + 1}

    circuit = ne.Dynamics(
        step=step, states={"v": np.array([1.0, 2.0]), "n": 0.0}, parameters={"decay": (0.0, 1.0)},
        statistics={"v": ne.observe.final("v"), "n": ne.observe.final("n")}, dt=1.0, duration=5.0,
    )  # fmt: skip
    v = np.array([1.0, 2.0])
    for t in range(5):
        v = 0.5 * v + table(float(t)) * steps(float(t)) + t / 10
    f, jacobian = circuit.statistics_and_jacobian([[0.5]])
    np.testing.assert_allclose(f[0], [*v, 5.0], rtol=1e-14)
    np.testing.assert_allclose(circuit.reference([[0.5]]), f, rtol=1e-14)
    assert ne.check_jacobian(circuit, [[0.5]], tolerance=1e-6).ok and jacobian[0, 2, 0] == 0
    assert table(7.0) == 0.0 and table(-1.0) == 0.0 and table(1.5) == 1.5


@pytest.mark.parametrize("precision, error", [("float64", 1e-12), ("float32", 1e-5)])
def test_remainders_of_multiples_and_powers_of_nothing(precision, error):
    # 49 (1 / 49) < 1; and 0^p = exp(p log 0), whose derivatives are 0 for p > 1, not p 0 / 0 and 0 log 0
    powers = {
        "number": lambda x, z, t: x.v**2.5, "parameter": lambda x, z, t: x.v**z.p,
        "hill": lambda x, z, t: x.v**z.p / (0.5**z.p + x.v**z.p), "root": lambda x, z, t: (x.v + 0.25) ** 0.3,
        "vector": lambda x, z, t: (x.v * np.array([1.0, 0.0])) ** np.array([1.5, z.p]),
    }  # fmt: skip
    circuit = ne.Dynamics(
        step=lambda x, z, t, xi: {"v": z.start, "k": (x.k + 1) % 49}, states={"v": 0.0, "k": 0.0},
        parameters={"start": (-1.0, 1.0), "p": (1.2, 4.0)},
        statistics={"k": ne.observe.maximum("k")} | {f"{k}_": ne.observe.final(f) for k, f in powers.items()},
        dt=1.0, duration=60.0,
    )  # fmt: skip
    z = [[0.0, 2.3], [0.5, 2.3], [-0.5, 2.3]]
    f, jacobian = circuit.statistics_and_jacobian(z, precision=precision)
    assert f[:, 0].tolist() == [48.0] * 3
    np.testing.assert_allclose(f[:2], circuit.reference(z[:2]), rtol=error)
    slope = 0.3 * 0.25**-0.7
    expected = [[0.0, 0.0]] * 4 + [[slope, 0.0]] + [[0.0, 0.0]] * 2
    np.testing.assert_allclose(jacobian[0], expected, rtol=error, atol=error)
    assert ne.check_jacobian(circuit, z[1:2]).ok and np.isnan(f[2, 1:4]).all()


def test_stages_in_a_loop_are_those_written_out(monkeypatch):
    pulse = ne.Table([0.0, 1.0, 2.0], [0.0, 1.0, 0.0])

    def swinging():
        return ne.Dynamics(
            lambda x, z, t: {"v": x.w + 0.1 * np.sin(t), "w": -(z.k**2) * x.v + 0.1 * pulse(t)},
            states={"v": lambda z: z.start, "w": 0.0}, parameters={"k": (0.5, 3.0), "start": (0.5, 1.0)},
            events={"up": ne.Event(lambda x, z, t: x.v)},
            statistics={"period": ne.observe.mean_interval("up"), "sd": ne.observe.std("v")}, dt=0.05, duration=8.0,
        )  # fmt: skip

    z = np.array([[1.5, 0.7], [2.5, 0.9]])
    written = swinging()
    assert not written._build.stages
    monkeypatch.setattr(program, "_WRITTEN_OUT", 0)
    looped = swinging()
    assert len(looped._build.stages) == 4
    found = looped.statistics_and_jacobian(z)
    for a, b in zip(found, written.statistics_and_jacobian(z)):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(found[0][:1], looped.reference(z[:1]), rtol=1e-12)
