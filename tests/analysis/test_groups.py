"""Samples grouped by nearest mode."""

import numpy as np
import pytest

from numepi.analysis import group_by_mode


def test_every_mode_gets_its_nearest_samples(mixture):
    modes = np.concatenate([mixture.means, mixture.means[:1] + 3.0])
    groups = group_by_mode(mixture, modes, per_mode=200, rng=3)
    assert groups.z.shape == (3, 200, 3) and groups.n_drawn >= 600 and groups.seconds > 0
    distance = np.linalg.norm(groups.z[:, :, None, :] - modes, axis=3)
    assert (distance.argmin(axis=2) == np.arange(3)[:, None]).all()
    assert groups.share.sum() == pytest.approx(1)
    assert groups.share[1] == pytest.approx(0.5, abs=0.03)
    assert groups.seconds_per_sample_per_mode == groups.seconds / 200


def test_a_mode_without_samples_is_an_error(gaussian):
    with pytest.raises(RuntimeError, match="mode 1 has 0 of 5 samples"):
        group_by_mode(gaussian, [gaussian.means[0], [99.0, 0, 0]], per_mode=5, max_samples=10_000)
    with pytest.raises(ValueError, match="modes has shape"):
        group_by_mode(gaussian, np.zeros((2, 2)))
