"""The metric: vectors and their images, and moves by it that leave the density as it is."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

import numepi as ne
from numepi.inference.particles.density import PathPoint
from numepi.inference.particles.metric import Metric, Vectors
from numepi.inference.particles.moves import Mover
from tests.inference.particles.problems import Normal, density_of


def test_images_are_those_of_whole_vectors():
    vectors = Vectors.of(ne.circuits.RankTwoRNN(n_neurons=5))
    assert vectors.count == 4
    # U1, V1 change sign together, or U2, V2; all four change no overlaps, and single neurons are no vectors
    np.testing.assert_array_equal(vectors.signs, [[1, -1, 1, -1], [1, 1, 1, 1]])
    assert Vectors.of(ne.circuits.LDS()).count == 1


def tied(n, signs, seed=0, P=400):
    """Particles of two vectors that are nearly equal, or opposite, by ``signs`` (P,)."""
    generator = np.random.default_rng(seed)
    a = generator.standard_normal((P, n))
    return np.hstack([a, signs[:, None] * (a + 0.1 * generator.standard_normal((P, n)))])


def test_a_metric_is_that_of_the_particles_own_images():
    signs = np.where(np.arange(400) % 3 == 0, 1.0, -1.0)
    u = tied(30, signs)
    vectors = Vectors(2, np.array([[1.0, -1.0], [1.0, 1.0]]))
    metric = Metric.of(vectors, u)
    S = metric.factors @ metric.factors.transpose(0, 2, 1)
    np.testing.assert_allclose(S[np.argsort(S[:, 0, 1])], [[[1, -1], [-1, 1.01]], [[1, 1], [1, 1.01]]], atol=0.05)
    image = metric.drawn(u, np.random.default_rng(0))
    np.testing.assert_array_equal(S[image, 0, 1] > 0, signs > 0)
    # gradients and velocities are each other's transposes
    r, g = np.random.default_rng(1).standard_normal((2, 400, 60))
    velocity, force = metric.velocity(image, r), metric.force(image, g)
    np.testing.assert_allclose((velocity * g).sum(axis=1), (r * force).sum(axis=1), rtol=1e-9)
    assert np.std(velocity[:, :30] - signs[:, None] * velocity[:, 30:]) < 0.15


def test_one_vector_has_the_unit_metric():
    u = np.random.default_rng(0).standard_normal((20, 6)) * 7
    metric = Metric.of(Vectors.single(), u)
    assert metric.velocity(None, u) is u and metric.force(None, u) is u
    assert not metric.drawn(u, None).any() and not metric.log_chance(u).any()


def test_a_trajectory_that_ran_off_has_no_chance_and_no_warning():
    u = tied(30, np.where(np.arange(400) % 3 == 0, 1.0, -1.0))
    metric = Metric.of(Vectors(2, np.array([[1.0, -1.0], [1.0, 1.0]])), u)
    u[0], u[1] = np.inf, 1e200
    chance = metric.log_chance(u)
    assert np.isnan(chance[:2]).all() and np.isfinite(chance[2:, 0] + chance[2:, 1]).any()
    assert not np.isfinite(metric.velocity(np.zeros(400, int), u)[0]).all()


def overlapping(n):
    """(a . b)^2 of two vectors of ``n`` normals, which has a sign symmetry, and its density at a multiplier."""
    dim = 2 * n

    def square(z):
        return np.sum(z[:, :n] * z[:, n:], axis=1, keepdims=True) ** 2

    def jacobian(z):
        product = np.sum(z[:, :n] * z[:, n:], axis=1, keepdims=True)
        return 2 * (product * np.hstack([z[:, n:], z[:, :n]]))[:, None, :]

    names = [f"{v}{j}" for v in "ab" for j in range(n)]
    circuit = ne.circuits.FunctionCircuit(
        square, ne.Support([-np.inf] * dim, [np.inf] * dim), statistic_names=("square",), jacobian=jacobian,
        parameter_names=names, parameter_vectors=2, sign_symmetries=[names[:n], names[n:]],
    )  # fmt: skip
    prop = ne.EmergentProperty(mean=[4.0], variance=[4.0])
    return density_of(circuit, prop, Normal(dim))


def exact_cdf(n, rate):
    """Of |a . b| where its square is weighed by exp(-rate s^2): s = (P - M) / 2 of two chi-squares."""
    grid = stats.chi2(n).ppf((np.arange(1500) + 0.5) / 1500)
    s = np.abs(grid[:, None] - grid).ravel() / 2
    order = np.argsort(s)
    weight = np.cumsum(np.exp(-rate * s[order] ** 2))
    return lambda x: np.interp(x, s[order], weight / weight[-1])


def test_images_that_overlap_have_one_metric():
    vectors = Vectors(2, np.array([[1.0, -1.0], [1.0, 1.0]]))
    loose = np.random.default_rng(0).standard_normal((400, 60)) * np.repeat([1.0, 2.0], 30)
    metric = Metric.of(vectors, loose)
    np.testing.assert_allclose(metric.factors, [[[1, 0], [0, 2]]], atol=0.1)
    assert not metric.drawn(loose, None).any()


@pytest.mark.parametrize("tied", [None, 0.95])  # by a metric of two images, whose odds matter here as they never do
@pytest.mark.parametrize("n", [2, 12])
def test_moves_by_a_metric_leave_the_density_as_it_is(n, tied, monkeypatch):
    if tied is not None:
        both = Vectors(2, np.array([[1.0, -1.0], [1.0, 1.0]]))
        fixed = Metric(both, both.signs[:, :, None] * np.linalg.cholesky(np.array([[1.0, tied], [tied, 1.0]])))
        monkeypatch.setattr(Metric, "of", lambda vectors, u: fixed)
    density = overlapping(n)
    assert density.vectors.count == 2 and len(density.vectors.signs) == 2
    rate = -0.05  # two modes: vectors are drawn along each other, one way or the other
    limit = 6.0  # where there is density, which has no end otherwise
    density.region = lambda f: f[:, 0] < limit**2
    point = PathPoint(1.0, np.array([-rate, 0.0]) * density.scale, True)
    generator = np.random.default_rng(3)
    u = generator.standard_normal((12_000, 2 * n))
    particles = density.evaluate(u[np.abs(np.sum(u[:, :n] * u[:, n:], axis=1)) < limit][:5000], point)
    mover = Mover.first(2 * n, 4, True)
    for _ in range(40):
        particles, mover = mover.move(density, particles, point, generator)
    s = np.abs(np.sum(particles.z[:, :n] * particles.z[:, n:], axis=1))
    cdf = exact_cdf(n, rate)
    # false alarm 1e-3
    assert s.max() < limit and stats.kstest(s, lambda x: np.minimum(cdf(x) / cdf(limit), 1)).pvalue > 1e-3


def test_steps_are_of_the_size_of_what_they_move():
    circuit = ne.circuits.RankTwoRNN(n_neurons=50)
    density = density_of(circuit, circuit.emergent_property(), region=lambda f: np.ones(len(f), bool))
    generator, n = np.random.default_rng(0), 50
    a = generator.standard_normal((100, n))
    near = 0.03 * generator.standard_normal((100, 4 * n))
    sign = np.where(np.arange(100) % 2, 1.0, -1.0)[:, None]
    u = np.hstack([a, sign * a, -a, -sign * a]) + near  # as the solution has them, in either mode
    point = PathPoint(1.0, np.array([6.0, -14.0, 0.0, 0.0]), True)
    steps = {}
    for name, vectors in (("metric", density.vectors), ("none", Vectors.single())):
        density.vectors = vectors
        particles, mover = density.evaluate(u, point), replace(Mover.first(4 * n, 4, True), step_size=0.05)
        generator = np.random.default_rng(1)
        for _ in range(30):
            particles, mover = mover.move(density, particles, point, generator)
        steps[name] = mover.step_size
    assert steps["metric"] > 2 * steps["none"]
