"""Densities along the path: gradients by finite differences, failures and regions without density."""

import numpy as np

import numepi as ne
from numepi.inference.particles.annealing import ParticleSettings, connect
from numepi.inference.particles.density import PathPoint
from tests.inference.particles.problems import Normal, density_of, gaussian


def test_the_gradient_is_that_of_the_log_density(rng):
    circuit = ne.circuits.LDS()
    density = density_of(circuit, circuit.emergent_property())
    point = PathPoint(0.7, np.array([0.3, -0.2, 0.1, -0.4]), False)
    u, direction = rng.standard_normal((5, 4)), rng.standard_normal((5, 4))
    step = 1e-6
    up, down = (density.evaluate(u + s * step * direction, point).log_density for s in (1, -1))
    slope = np.einsum("nd,nd->n", density.evaluate(u, point).gradient, direction)
    np.testing.assert_allclose((up - down) / (2 * step), slope, rtol=1e-6, atol=1e-7)


def test_another_point_needs_no_simulation(rng):
    density = gaussian(5)
    here, there = PathPoint(0.0, np.zeros(4), False), PathPoint(1.0, np.array([0.5, 0, -0.2, -0.1]), False)
    particles = density.evaluate(rng.standard_normal((6, 5)), here)
    before = density.problem.n_simulations
    moved = density.log_density(particles, there)
    assert density.problem.n_simulations == before
    np.testing.assert_allclose(moved, density.evaluate(particles.u, there).log_density, rtol=1e-12)


def test_failures_and_the_outside_of_a_region_have_no_density():
    def statistics(z):
        return np.where(z[:, :1] < -1, np.nan, z)

    circuit = ne.circuits.FunctionCircuit(
        statistics, ne.Support([-3, -3], [3, 3]), statistic_names=["a", "b"],
        jacobian=lambda z: np.broadcast_to(np.eye(2), (len(z), 2, 2)),
    )  # fmt: skip
    prop = ne.EmergentProperty(mean=[0, 0], variance=[1, 1])
    density = density_of(circuit, prop, region=lambda f: np.abs(f[:, 1]) < 1)
    u = np.array([[-2.0, 0.0], [0.0, 2.0], [0.0, 0.0]])  # fails, outside, inside
    free, confined = (density.evaluate(u, PathPoint(1.0, np.zeros(4), c)) for c in (False, True))
    assert np.isfinite(free.log_density).tolist() == [False, True, True]
    assert np.isfinite(confined.log_density).tolist() == [False, False, True]
    assert np.isfinite(free.gradient).all() and not free.gradient[0].any()


def test_what_fresh_noise_takes_from_log_z():
    # f = z + 0.3 e, z normal, tilted by exp(-k f^2): of the fixed e, on average, log Z has -k 0.09 / (1 + 2 k) beside
    # that without noise, and -k 0.09 of the mean over noise
    rows, sigma = np.eye(2), 0.3
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: z + sigma * rng.standard_normal(z.shape), ne.Support([-np.inf] * 2, [np.inf] * 2),
        statistic_names=["a", "b"], jacobian=lambda z: np.broadcast_to(rows, (len(z), 2, 2)),
    )  # fmt: skip
    density = density_of(circuit, ne.EmergentProperty(mean=[0.0, 0.0], variance=[0.25, 0.25]), Normal(2))
    point = PathPoint(1.0, np.array([0.0, 0.0, -1.0, 0.0]), False)
    path = connect(density, point, ParticleSettings(particles=400), np.random.default_rng(0))
    shift, stderr = density.noise_shift(path.particles, point.eta, 16, 1.0)
    k = 1 / density.scale[2]
    exact = -k * sigma**2 * (1 - 1 / (1 + 2 * k))  # -0.22
    assert 0.005 < stderr < 0.06 and abs(shift - exact) < 3 * stderr  # false alarm 3e-3
