"""Models with noise: variances in closed form, Ito against Stratonovich, tasks, statistics of samples, trials."""

import numpy as np
import pytest

import numepi as ne


def ornstein_uhlenbeck(trials):
    return ne.Dynamics(
        lambda x, z, t: -x.v / z.tau, noise=lambda x, z, t: z.s, states={"v": 0.0},
        parameters={"s": (0.5, 2.0), "tau": (0.5, 2.0)},
        statistics={"variance": ne.observe.variance("v"), "sd": ne.observe.std("v"), "mean": ne.observe.mean("v")},
        dt=0.05, duration=6.0, observe_from=1.0, trials=trials,
    )  # fmt: skip


def exact_variance(s, tau, dt=0.05, steps=120, first=20):
    """Expected population variance of the samples of the discrete process in its finite window."""
    decay = 1 - dt / tau
    times = np.arange(first, steps + 1)
    variance = s**2 * dt * (1 - decay ** (2 * times)) / (1 - decay**2)
    early = np.minimum(times[:, None], times)
    covariance = variance[early - first] * decay ** np.abs(times[:, None] - times)
    return variance.mean() - covariance.mean()


def test_variance_of_the_ornstein_uhlenbeck_process():
    trials = 4000
    circuit, z = ornstein_uhlenbeck(trials), np.array([[1.2, 1.0]])
    f, jacobian = circuit.statistics_and_jacobian(z, rng=1)
    each = ornstein_uhlenbeck(1).statistics(np.repeat(z, 400, axis=0), rng=2)[:, 0]
    standard_error = each.std() / np.sqrt(trials)
    # four standard errors: false alarm 6e-5; the sample variance (ddof 1) is 1 % larger, a window one step late 0.5 %
    assert abs(f[0, 0] - exact_variance(1.2, 1.0)) < 4 * standard_error
    np.testing.assert_allclose(jacobian[0, 0, 0], 2 * f[0, 0] / 1.2, rtol=1e-9)  # the noise amplitude's tangent
    assert ne.check_jacobian(circuit, z, tolerance=1e-6).ok


def test_the_window_and_the_divisor_by_hand():
    circuit, z = ornstein_uhlenbeck(1), [[1.2, 0.8]]
    path = circuit.simulate(z, rng=3).values[0, 0, :, 0]
    f = circuit.statistics(z, rng=3)[0]
    np.testing.assert_allclose(f, [path[20:].var(), path[20:].std(), path[20:].mean()], rtol=1e-11)
    noise = {"noise": np.random.default_rng(0).standard_normal((1, 120, 1))}  # the axis of trials may be left out
    v = [0.0]
    for xi in noise["noise"][0, :, 0]:
        v.append(v[-1] - 0.05 * v[-1] / 0.8 + 1.2 * np.sqrt(0.05) * xi)
    np.testing.assert_allclose(circuit.statistics(z, noise=noise)[0, 0], np.var(v[20:]), rtol=1e-11)
    assert circuit.noise_names == ("noise",)


@pytest.mark.parametrize("method, ito", [("euler", True), ("heun", False)])
def test_geometric_brownian_motion_tells_ito_from_stratonovich(method, ito):
    circuit = ne.Dynamics(
        lambda x, z, t: z.mu * x.v, noise=lambda x, z, t: z.s * x.v, states={"v": 1.0},
        parameters={"mu": (0.0, 1.0), "s": (0.1, 1.0)}, statistics={"end": ne.observe.final("v")},
        dt=0.01, duration=1.0, trials=4000, method=method,
    )  # fmt: skip
    f, jacobian = circuit.statistics_and_jacobian([[0.2, 0.5]], rng=5)
    # the mean grows at mu (Ito) or mu + s^2 / 2; four standard errors of the lognormal: false alarm 6e-5
    rate = 0.2 if ito else 0.2 + 0.125
    spread = np.exp(rate) * np.sqrt(np.expm1(0.25) / 4000)
    assert abs(f[0, 0] - np.exp(rate)) < 4 * spread + 0.002  # and Euler's own error of order dt
    np.testing.assert_allclose(jacobian[0, 0, 0], f[0, 0], rtol=0.02)  # d/d mu of exp(mu) is itself
    assert abs(jacobian[0, 0, 1]) > 1e-6  # noisy models have derivatives


def test_folds_several_noises_and_tasks():
    def update(own, x, z, t):
        return {"n": own["n"] + 1, "sum": own["sum"] + x.v * np.where(t > 0.5, 1.0, 0.0)}

    circuit = ne.Dynamics(
        lambda x, z, t: {"v": z.k * z.a - x.v}, noise=lambda x, z, t: {"v": (0.3, z.a)}, states={"v": lambda z: z.a},
        parameters={"a": (0.1, 1.0)}, tasks={"low": {"k": 1.0}, "high": {"k": 3.0}},
        statistics={
            "fold": ne.observe.fold({"n": 0.0, "sum": 0.0}, update, lambda own, x, z, t: own["sum"] / own["n"])
        },
        dt=0.1, duration=1.0, trials=3,
    )  # fmt: skip
    assert circuit.statistic_names == ("fold_low", "fold_high")
    f = circuit.statistics([[0.5], [0.7]], rng=8)
    np.testing.assert_allclose(f, circuit.reference(np.array([[0.5], [0.7]]), rng=8), rtol=1e-12)
    path = circuit.simulate([[0.5]], rng=8)
    assert path.values.shape == (1, 2, 3, 11, 1)
    late = path.values[0, :, :, 1:, 0] * (path.time[1:] > 0.5 + 1e-9)
    np.testing.assert_allclose(f[0], late.mean(axis=(1, 2)), rtol=1e-12)
    assert ne.check_jacobian(circuit, np.array([[0.5]]), rng=1, tolerance=1e-8).ok


def test_statistics_of_samples_against_numpy():
    angles = np.array([0.0, 0.4, 1.0])

    def drift(x, z, t):
        return {"r": -x.r + np.sin(3 * t + angles) * z.a}

    circuit = ne.Dynamics(
        drift, noise=lambda x, z, t: {"r": 0.2 * np.ones(3)}, states={"r": np.zeros(3)}, parameters={"a": (0.5, 2.0)},
        statistics={
            "low": ne.observe.minimum("r"), "top": ne.observe.maximum("r[1]"), "at": ne.observe.at("r[0]", 0.33),
            "c": ne.observe.correlation("r[0]", "r[1]"), "lag": ne.observe.lagged_correlation("r[0]", "r[2]", 3),
            "chi": ne.observe.synchrony("r"), "power": ne.observe.band_power("r[0]", [0.4, 0.5]),
            "peak": ne.observe.spectral_peak("r[0]", np.arange(1, 9) / 8), "above": ne.observe.time_above("r[0]", 0.1),
        },
        dt=0.05, duration=8.0, observe_from=2.0,
    )  # fmt: skip
    path = circuit.simulate([[1.3]], rng=4).values[0, 0]
    r, times = path[40:], np.arange(40, 161) * 0.05

    def power(frequency):
        wave = (r[:, 0] - r[:, 0].mean()) @ np.exp(-2j * np.pi * frequency * times)
        return abs(wave) ** 2 * 0.05 / len(r)

    expected = [
        *r.min(axis=0), r[:, 1].max(), 0.4 * path[6, 0] + 0.6 * path[7, 0], np.corrcoef(r[:, 0], r[:, 1])[0, 1],
        np.corrcoef(r[:-3, 0], r[3:, 2])[0, 1], np.sqrt(r.mean(axis=1).var() / r.var(axis=0).mean()),
        np.mean([power(0.4), power(0.5)]), max(np.arange(1, 9) / 8, key=power),
    ]  # fmt: skip
    f = circuit.statistics([[1.3]], rng=4)[0]
    np.testing.assert_allclose(f[:-1], expected, rtol=1e-9)
    assert abs(f[-1] - 0.05 * (r[:, 0] > 0.1).sum()) < 1.0
    assert circuit.differentiable_statistics == circuit.statistic_names[:-2]


def test_the_mean_of_the_trials_that_have_a_statistic():
    def circuit(least_share):
        return ne.Dynamics(
            lambda x, z, t: z.a, noise=lambda x, z, t: 1.0, states={"v": 0.0}, parameters={"a": (0.0, 1.0)},
            events={"up": ne.Event(lambda x, z, t: x.v - 1.0)}, statistics={"first": ne.observe.first_time("up")},
            dt=0.02, duration=1.0, trials=40, least_share=least_share,
        )  # fmt: skip

    times = circuit(1.0).simulate([[0.5]], rng=3).events["up"]
    firsts = [times.time[times.where[:, 1] == trial].min() for trial in range(40) if (times.where[:, 1] == trial).any()]
    assert 5 < len(firsts) < 35
    assert np.isnan(circuit(1.0).statistics([[0.5]], rng=3)).all()
    np.testing.assert_allclose(circuit(0.1).statistics([[0.5]], rng=3), np.mean(firsts), rtol=1e-10)
    assert np.isnan(circuit(0.95).statistics([[0.5]], rng=3)).all()
