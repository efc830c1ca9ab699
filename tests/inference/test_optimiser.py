"""Adam against its definition, and its reset."""

import numpy as np

from numepi.inference.optimiser import Adam


def adam_by_the_book(gradients, theta, rate):
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g**2
        theta = theta - rate * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return theta


def test_steps_are_those_of_the_paper(rng):
    gradients, theta = rng.normal(size=(20, 5)), rng.normal(size=5)
    adam, moved = Adam(5), theta
    for g in gradients:
        moved = adam.step(moved, g, 0.1)
    np.testing.assert_allclose(moved, adam_by_the_book(gradients, theta, 0.1), rtol=1e-12)


def test_reset_forgets_the_moments(rng):
    gradients, theta = rng.normal(size=(6, 5)), np.zeros(5)
    adam = Adam(5)
    for g in gradients[:3]:
        adam.step(theta, g, 0.1)
    adam.reset()
    moved = theta
    for g in gradients[3:]:
        moved = adam.step(moved, g, 0.1)
    np.testing.assert_allclose(moved, adam_by_the_book(gradients[3:], theta, 0.1), rtol=1e-12)


def test_restored_state_continues_alike(rng):
    gradients = rng.normal(size=(6, 5))
    one, theta = Adam(5), np.zeros(5)
    for g in gradients[:3]:
        theta = one.step(theta, g, 1e-3)
    two = Adam(5)
    two.restore({k: np.array(v) for k, v in one.state().items()})
    for g in gradients[3:]:
        np.testing.assert_array_equal(one.step(theta, g, 1e-3), two.step(theta, g, 1e-3))


def test_clipping_bounds_the_gradient():
    a, b = Adam(2, clip_norm=1.0), Adam(2)
    a.step(np.zeros(2), np.array([30.0, 40.0]), 1e-3)
    b.step(np.zeros(2), np.array([0.6, 0.8]), 1e-3)
    np.testing.assert_allclose(a.mean, b.mean)
