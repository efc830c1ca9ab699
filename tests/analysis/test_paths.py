"""Mode paths by continuation."""

import numpy as np
import pytest

from numepi.analysis import mode_path


def test_the_path_of_a_gaussian_is_its_regression_line(gaussian):
    values = np.linspace(2.0, -1.0, 7)
    path = mode_path(gaussian, "a", values)
    covariance, mean = gaussian.covariance, gaussian.means[0]
    expected = mean + np.outer(values - mean[0], covariance[:, 0] / covariance[0, 0])
    np.testing.assert_allclose(path.z, expected, atol=1e-6)
    assert path.is_maximum.all() and path.parameter == "a"
    np.testing.assert_allclose(path.below_best, 0, atol=1e-8)


def test_a_branch_that_is_not_the_highest_is_reported(mixture):
    # at a = 1 the mode near +4 is denser; continuation from the other branch stays behind
    path = mode_path(mixture, "a", [-1.0, 0.5, 1.0], start=np.array([-4.0, 4.0, -2.0]))
    assert path.below_best[0] < 1e-6 and path.below_best[-1] > 0.5


def test_the_papers_schedule_starts_at_the_nearest_sample_and_ends_near_the_path(gaussian):
    values = np.arange(1.0, -1.1, -0.25)
    newton = mode_path(gaussian, "a", values)
    paper = mode_path(gaussian, "a", values, method="ascent")
    assert paper.z.shape == (9, 3)
    np.testing.assert_array_equal(paper.z[:, 0], values)
    # 500 steps at up to 5e-3, then 200 at up to 1e-3, do not arrive, but come near
    assert np.abs(paper.z - newton.z).max() < 0.8
    assert np.all(paper.log_prob <= newton.log_prob + 1e-9)


def test_the_papers_schedule_stays_on_a_ridge_whose_curvature_exceeds_2_over_its_rate(ridge):
    # curvature 10^4 across the ridge; plain steps of 5e-3 multiply the distance from it by 49 each
    values = np.arange(1.0, -1.1, -0.25)
    path = mode_path(ridge, "a", values, method="ascent")
    np.testing.assert_allclose(path.z[:, 1], values / 2, atol=1e-3)
    assert path.is_maximum.all()
    np.testing.assert_allclose(path.log_prob, mode_path(ridge, "a", values).log_prob, atol=1e-2)


def test_values_must_be_a_list(gaussian):
    with pytest.raises(ValueError, match="give one or more inside the support"):
        mode_path(gaussian, "a", [])
