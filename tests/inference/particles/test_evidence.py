"""Log Z from both ends: Bennett's ratio and its error, against pairs of normals."""

import numpy as np

from numepi.inference.particles import evidence as module
from numepi.inference.particles.annealing import ParticleSettings, connect
from numepi.inference.particles.density import PathPoint
from tests.inference.particles.problems import gaussian


def ratios(shift, n, generator):
    """log pi_1 - log pi_0 of N(shift, 1) with log Z_1 = 1 against N(0, 1), at draws of either."""
    first, last = generator.standard_normal(n), shift + generator.standard_normal(n)
    return [1.0 + shift * x - 0.5 * shift**2 for x in (first, last)]


def test_bennett_and_its_error():
    generator = np.random.default_rng(0)
    found = np.array([module._bennett(*ratios(1.5, 400, generator)) for _ in range(200)])
    error = found[:, 0].std() / np.sqrt(200)
    assert abs(found[:, 0].mean() - 1.0) < 4 * error  # false alarms 6e-5
    # the standard deviation of 200 normal values is known to 5 %: five of them
    assert abs(np.sqrt(found[:, 1].mean()) / found[:, 0].std() - 1) < 0.25


def test_stages_add_their_errors(monkeypatch):
    density, settings = gaussian(2), ParticleSettings(particles=100, settle=2)
    generator = np.random.default_rng(1)
    path = connect(density, PathPoint(1.0, np.array([3.0, -2.0, -2.5, -2.0]), False), settings, generator)
    assert len(path.log_ratios) >= 3
    monkeypatch.setattr(module, "_bennett", lambda forward, backward: (0.5, 0.04))
    found = module.evidence(density, path, settings, generator)
    assert np.isclose(found.log_z, 0.5 * len(path.log_ratios))
    apart = 0.5 * (found.forward - found.backward)
    assert np.isclose(found.stderr, np.hypot(0.2 * np.sqrt(len(path.log_ratios)), apart))


def test_a_copy_without_density_stands_for_nothing(monkeypatch):
    # met with other noise a copy lay outside of the region, before and after: its ratio was not a number
    density = gaussian(2)
    density.region = lambda f: np.abs(f[:, 0]) < 4
    settings, generator = ParticleSettings(particles=100, settle=2), np.random.default_rng(1)
    path = connect(density, PathPoint(1.0, np.array([0.5, -0.5, 0.1, 0.0]), True), settings, generator)
    monkeypatch.setattr(module, "forget", lambda density, particles, point, mover, *others: (particles, mover))
    path.points, path.log_ratios = path.points[-2:], path.log_ratios[-1:]
    whole = module.evidence(density, path, settings, np.random.default_rng(2))
    u = np.concatenate([path.particles.u, np.full((3, 2), 50.0)])
    path.particles = density.evaluate(u, path.point)
    assert np.isneginf(path.particles.log_density[-3:]).all()
    found = module.evidence(density, path, settings, np.random.default_rng(2))
    assert np.isclose(found.log_z, whole.log_z) and np.isclose(found.backward, whole.backward)
    path.particles = density.evaluate(np.full((100, 2), 50.0), path.point)
    assert np.isnan(module.evidence(density, path, settings, np.random.default_rng(2)).log_z)
