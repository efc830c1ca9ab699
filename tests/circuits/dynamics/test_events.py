"""Events: the leaky integrate-and-fire neuron in closed form, peaks, vectors of units, what has derivatives."""

import numpy as np
import pytest

import numepi as ne
from numepi.circuits.dynamics import assembly

TAU, REFRACTORY = 20.0, 2.0


def to_v_r(x, z, t):
    return {"v": z.v_r}


def integrate_and_fire(dt=0.1, statistics=None, **more):
    """dv/dt = (I - v) / tau, reset from 1 to v_r, refractory for 2 ms."""
    statistics = statistics or {
        "interval": ne.observe.mean_interval("spike"), "first": ne.observe.first_time("spike"),
        "mean": ne.observe.mean("v"), "sd": ne.observe.std("v"),
        "cycle": ne.observe.mean("v", window="cycles of spike"),
        "end": ne.observe.final("v"), "above": ne.observe.time_above("v", 0.5),
    }  # fmt: skip
    return ne.Dynamics(
        lambda x, z, t: {"v": (z.I - x.v) / TAU}, states={"v": 0.0},
        parameters={"I": (1.1, 3.0), "v_r": (-0.5, 0.5)},
        events={"spike": ne.Event(lambda x, z, t: x.v - 1.0, reset=to_v_r, refractory=REFRACTORY)},
        statistics=statistics, dt=dt, duration=300.0, **more,
    )  # fmt: skip


def test_intervals_and_averages_of_the_integrate_and_fire_neuron_in_closed_form():
    circuit, z = integrate_and_fire(), np.array([[1.5, 0.1], [2.0, -0.2]])
    f, jacobian = circuit.statistics_and_jacobian(z)
    current, reset = z.T
    interval = REFRACTORY + TAU * np.log((current - reset) / (current - 1))
    np.testing.assert_allclose(f[:, 0], interval, rtol=1e-9)
    np.testing.assert_allclose(jacobian[:, 0, 0], TAU / (current - reset) - TAU / (current - 1), rtol=1e-7)
    np.testing.assert_allclose(jacobian[:, 0, 1], -TAU / (current - reset), rtol=1e-7)
    np.testing.assert_allclose(f[:, 1], TAU * np.log(current / (current - 1)), rtol=1e-9)
    # v integrates to tau (v_start - v_end) + I T while it is free, and to v_r while it is held
    area = TAU * (reset - 1) + current * (interval - REFRACTORY) + REFRACTORY * reset
    np.testing.assert_allclose(f[:, 4], area / interval, rtol=1e-9)
    # time from 0.5 to the threshold, once from 0 and then from v_r after every spike
    cycles = np.floor((300 - f[:, 1]) / interval)
    assert np.all(np.abs(f[:, 6] - TAU * np.log((current - 0.5) / (current - 1)) * (1 + cycles)) < TAU)


def test_every_derivative_through_resets_and_refractory_times():
    circuit, z = integrate_and_fire(), np.array([[1.5, 0.1], [2.2, -0.2]])
    check = ne.check_jacobian(circuit, z, step=1e-4, tolerance=1e-5, raise_error=False)
    assert check.ok, str(check)
    np.testing.assert_allclose(circuit.reference(z[:1]), circuit.statistics(z[:1]), rtol=1e-10)


def test_generated_code_has_no_branches():
    # numba's time goes as the square of their number
    source, _ = assembly._sources(integrate_and_fire()._build, True, 16, assembly.Constants())
    assert "select(" in source and " if " not in source


def test_event_times_in_single_precision():
    z = np.array([[1.5, 0.1], [2.0, -0.2]])
    double, single = (integrate_and_fire().statistics(z, precision=p) for p in ("float64", "float32"))
    np.testing.assert_allclose(single, double, rtol=1e-4)


def test_trajectories_hold_the_state_and_tell_the_times():
    path = integrate_and_fire().simulate([[1.5, 0.1]])
    times = path.times("spike")
    interval = REFRACTORY + TAU * np.log(1.4 / 0.5)
    np.testing.assert_allclose(np.diff(times), interval, rtol=1e-9)
    held = (path.time > times[0] + 0.01) & (path.time < times[0] + REFRACTORY)
    np.testing.assert_allclose(path.values[0, 0, held, 0], 0.1, rtol=1e-14)
    assert path.events["spike"].where.shape == (len(times), 2)


def test_a_vector_of_units_has_events_of_its_own():
    rates = np.array([1.0, 1.3, 2.0])
    circuit = ne.Dynamics(
        lambda x, z, t: {"v": z.speed * rates, "s": -x.s}, states={"v": np.zeros(3), "s": 1.0},
        parameters={"speed": (0.5, 2.0)},
        events={"spike": ne.Event(lambda x, z, t: x.v - 1.0, reset=lambda x, z, t: {"v": np.zeros(3)})},
        statistics={"interval": ne.observe.mean_interval("spike"), "s": ne.observe.final("s")},
        dt=0.01, duration=20.0,
    )  # fmt: skip
    f, jacobian = circuit.statistics_and_jacobian([[0.9]])
    assert circuit.statistic_names == ("interval[0]", "interval[1]", "interval[2]", "s")
    np.testing.assert_allclose(f[0, :3], 1 / (0.9 * rates), rtol=1e-10)
    np.testing.assert_allclose(jacobian[0, :3, 0], -1 / (0.81 * rates), rtol=1e-10)
    np.testing.assert_allclose(f[0, 3], np.exp(-20.0), rtol=1e-6)  # advances by the whole step whatever the units do


def test_two_kinds_of_resets_and_an_event_that_resets_nothing():
    def turn(direction):
        return lambda x, z, t: {"direction": direction, "n": x.n + 1}

    circuit = ne.Dynamics(
        lambda x, z, t: {"v": z.speed * x.direction, "n": 0.0, "direction": 0.0},
        states={"v": 0.0, "n": 0.0, "direction": 1.0}, parameters={"speed": (0.5, 2.0)},
        events={
            "top": ne.Event(lambda x, z, t: x.v - 1.0, reset=turn(-1.0)),
            "bottom": ne.Event(lambda x, z, t: x.v, direction=-1, reset=turn(1.0)),
            "middle": ne.Event(lambda x, z, t: x.v - 0.5, direction=0),
        },
        statistics={
            "n": ne.observe.final("n"), "middle": ne.observe.mean_interval("middle"), "v": ne.observe.final("v"),
            "phase": ne.observe.phase("middle", of="top"),
        },
        dt=0.03, duration=9.0,
    )  # fmt: skip
    f, jacobian = circuit.statistics_and_jacobian([[0.9], [1.1]])
    # v bounces between 0 and 1: 8.1 and 9.9 units of way
    np.testing.assert_allclose(f[:, 0], [8, 9])
    np.testing.assert_allclose(f[:, 2], [0.1, 0.1], atol=1e-9)
    np.testing.assert_allclose(f[:, 1], 1 / np.array([0.9, 1.1]), rtol=1e-9)
    np.testing.assert_allclose(jacobian[:, 1, 0], -1 / np.array([0.9, 1.1]) ** 2, rtol=1e-8)
    np.testing.assert_allclose(jacobian[:, 2, 0], [9.0, -9.0], rtol=1e-8)
    np.testing.assert_allclose(f[:, 3], 0.25, rtol=1e-9)  # the first of two in the cycle of the top


def oscillation(method="rk4", **more):
    equations = {"drift": lambda x, z, t: {"v": z.w * x.u, "u": -z.w * x.v}}
    if method == "map":
        turn = 0.02

        def step(x, z, t, xi):
            cos, sin = np.cos(z.w * turn), np.sin(z.w * turn)
            return cos * x.v + sin * x.u, cos * x.u - sin * x.v

        equations = {"step": step}
        method = None
    return ne.Dynamics(
        **equations, states={"v": 0.0, "u": 1.0}, parameters={"w": (0.5, 2.0)}, method=method,
        events={"peak": ne.Event.peak("v", above=0.5), "never": ne.Event.peak("v", above=1.5)},
        statistics={"period": ne.observe.mean_interval("peak"), "first": ne.observe.first_time("peak"),
                    "none": ne.observe.first_time("never"), "cv": ne.observe.interval_cv("peak"), **more},
        dt=0.02, duration=40.0,
    )  # fmt: skip


@pytest.mark.parametrize("method, error", [("rk4", 1e-7), ("map", 1e-4)])
def test_peaks_in_differential_equations_and_in_maps(method, error):
    circuit = oscillation(method)
    f, jacobian = circuit.statistics_and_jacobian([[1.3]])
    np.testing.assert_allclose(f[0, :2], [2 * np.pi / 1.3, np.pi / 2.6], rtol=error)
    np.testing.assert_allclose(jacobian[0, :2, 0], [-2 * np.pi / 1.69, -np.pi / 2 / 1.69], rtol=100 * error)
    assert np.isnan(f[0, 2]) and np.isnan(jacobian[0, 2]).all() and f[0, 3] < 1e-4


def bursting(x, z, t):
    """Three spikes 0.2 apart, at 0.45, 0.65, 0.85 of every unit."""
    return np.where(np.remainder(x.p, 1.0) > 0.44, -np.cos(10 * np.pi * x.p), -1.0)


def test_bursts_counts_and_rates():
    circuit = ne.Dynamics(
        lambda x, z, t: {"p": z.speed}, states={"p": 0.0}, parameters={"speed": (0.5, 2.0)},
        events={"spike": ne.Event(bursting)},
        statistics={
            "duration": ne.observe.burst_duration("spike", gap=0.5),
            "period": ne.observe.burst_period("spike", gap=0.5),
            "duty": ne.observe.duty_cycle("spike", gap=0.5),
            "spikes": ne.observe.spikes_per_burst("spike", gap=0.5),
            "count": ne.observe.count("spike"), "rate": ne.observe.rate("spike"),
        },
        dt=0.01, duration=10.0, observe_from=1.2,
    )  # fmt: skip
    f = circuit.statistics([[1.0]])[0]
    np.testing.assert_allclose(f[:4], [0.4, 1.0, 0.4, 3.0], rtol=1e-9)
    assert f[4] == 27 and f[5] == pytest.approx(27 / 8.8)
    assert circuit.differentiable_statistics == ("duration", "period", "duty") and not circuit.differentiable
    with pytest.raises(TypeError, match="spikes, count, rate: no derivative exists"):
        circuit.statistics_and_jacobian([[1.0]])


def test_with_noise_times_of_events_have_no_derivative_and_resets_leave_none():
    statistics = {"interval": ne.observe.mean_interval("spike"), "mean": ne.observe.mean("v")}
    noisy = integrate_and_fire(statistics=statistics, noise=lambda x, z, t: {"v": 0.1})
    assert noisy.differentiable_statistics == ()
    with pytest.raises(TypeError, match="interval, mean: no derivative exists"):
        noisy.statistics_and_jacobian([[1.5, 0.0]])
    quiet = integrate_and_fire(statistics=statistics, method="euler")
    assert quiet.differentiable
    # Euler's threshold bias: intervals are a little too long, more so the longer the step
    assert noisy.trials == 1 and np.isfinite(noisy.statistics([[1.5, 0.0]])).all()


def test_a_grazing_event_has_a_derivative_of_nan():
    circuit = ne.Dynamics(
        lambda x, z, t: {"v": -2 * x.s, "s": 1.0}, states={"v": 1.0, "s": -1.0}, parameters={"a": (0.5, 1.5)},
        events={"touch": ne.Event(lambda x, z, t: x.v - 2.0 * z.a)},
        statistics={"first": ne.observe.first_time("touch")},
        dt=0.3, duration=3.0,
    )  # fmt: skip
    f, jacobian = circuit.statistics_and_jacobian([[0.8], [1.0]])  # v = 2 - s^2 reaches 1.6 across, 2.0 tangentially
    np.testing.assert_allclose(f[0, 0], 1 - np.sqrt(0.4), rtol=1e-10)
    assert np.isfinite(jacobian[0]).all() and not np.isfinite(jacobian[1]).any()
