"""Properties from measurements: moments, their standard errors, missing values."""

import numpy as np
import pytest

import numepi as ne

NAMES = ("rate", "latency")


def test_moments_and_errors_of_small_data_by_hand():
    prop = ne.EmergentProperty.from_data(np.array([[0.0], [0.0], [0.0], [4.0]]), ["rate"])
    assert prop.mean == (1.0,) and prop.variance == (4.0,)
    # fourth moment (3 * 1 + 81) / 4 = 21
    assert prop.standard_error["mean rate"] == pytest.approx(1.0)
    assert prop.standard_error["variance rate"] == pytest.approx(np.sqrt((21 - 16 / 3) / 4))


def test_errors_are_those_of_repeated_experiments(rng):
    n, repeats = 60, 3000
    mixing = np.array([[1.0, 0.5], [0.0, 1.5]])
    estimates, errors = [], []
    for _ in range(repeats):
        prop = ne.EmergentProperty.from_data(rng.exponential(size=(n, 2)) @ mixing, NAMES, covariance=True)
        estimates.append([*prop.mean, *prop.variance, *prop.covariance.values()])
        errors.append(list(prop.standard_error.values()))
    names = list(prop.standard_error)
    assert names == ["mean rate", "variance rate", "mean latency", "variance latency", "covariance rate, latency"]
    estimates = np.array(estimates)[:, [0, 2, 1, 3, 4]]
    # Means unbiased: five standard errors of 3000 repeats, false alarm 6e-7 each.
    truth = np.array([1.0, 1.0, 2.0, 2.5, 0.5])
    assert np.all(np.abs(estimates.mean(axis=0) - truth) < 5 * estimates.std(axis=0) / np.sqrt(repeats))
    # The root of the mean squared error estimate against the spread of the estimates, whose own error is about 2 % for
    # means; fourth moments of an exponential from 60 values are biased low by a tenth.
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / estimates.std(axis=0)
    assert np.all(np.abs(ratio - 1) < [0.08, 0.2, 0.08, 0.2, 0.2])


def test_missing_and_masked_values_are_left_out(rng):
    data = rng.normal(size=(30, 2))
    with_gaps = data.copy()
    with_gaps[3, 0] = with_gaps[5, 1] = np.nan
    masked = np.ma.array(data, mask=np.isnan(with_gaps))
    prop = ne.EmergentProperty.from_data(with_gaps, NAMES, covariance=True)
    assert prop.mean[0] == pytest.approx(np.delete(data[:, 0], 3).mean())
    assert prop.variance[1] == pytest.approx(np.delete(data[:, 1], 5).var(ddof=1))
    both = np.delete(data, [3, 5], axis=0)
    assert prop.covariance[NAMES] == pytest.approx(np.corrcoef(both.T)[0, 1] * np.sqrt(np.prod(prop.variance)))
    assert len(prop.constraints(NAMES)) == 5
    assert ne.EmergentProperty.from_data(masked, NAMES, covariance=True) == prop


def test_columns_find_their_statistics_by_name(rng):
    prop = ne.EmergentProperty.from_data(rng.normal([5.0, 50.0], 1.0, size=(20, 2)), ["latency", "rate"])
    c = prop.constraints(("rate", "width", "latency"))
    assert c.names == ("mean rate", "mean latency", "variance rate", "variance latency")
    assert c.target[0] == pytest.approx(50, abs=2) and c.target[1] == pytest.approx(5, abs=2)
    tolerance, source = c.tolerances(np.full(4, np.nan))
    # 20 values know the mean to 0.22 s.d. and the variance to 20 or 30 %: both worse than the usual tenth
    assert source == ("data",) * 4
    np.testing.assert_allclose(tolerance, [prop.standard_error[name] for name in c.names])
    again = ne.EmergentProperty.from_description(prop.description())
    assert again == prop


def test_one_column_without_a_name(rng):
    prop = ne.EmergentProperty.from_data(rng.normal(size=100_000))
    assert prop.constraints(("anything",)).tolerances(np.full(2, np.nan))[1] == ("target", "target")


@pytest.mark.parametrize(("data", "settings", "error", "message"), [
    (np.zeros((5, 2, 2)), {}, ValueError, r"data has shape \(5, 2, 2\): expected \(n, k\)"),
    ([["a"]], {}, TypeError, "data holds strings"),
    (np.ones((5, 1)), {}, ValueError, "data of column 0 has only the value 1: give at least 4"),
    ([[1.0], [2.0], [np.nan], [3.0]], {"names": ["r"]}, ValueError, "data of r has 3 values: give at least 4"),
    ([[1.0], [2.0], [np.inf], [3.0]], {}, ValueError, r"data\[2, 0\] = inf: give finite numbers, or NaN"),
    (np.eye(5), {"names": ["r"]}, ValueError, "names has 1 entries: give 5"),
    (np.eye(5), {"covariance": True}, ValueError, "covariance=True needs names"),
    (np.eye(5), {"covariance": 1}, TypeError, "covariance = 1"),
])  # fmt: skip
def test_bad_data_are_refused(data, settings, error, message):
    with pytest.raises(error, match=message):
        ne.EmergentProperty.from_data(data, **settings)


def test_the_property_keeps_its_measurements_by_name_and_files_do_not(rng):
    data = rng.normal(size=(9, 2))
    prop = ne.EmergentProperty.from_data(data, NAMES)
    circuits_order = ("latency", "other", "rate")
    for form in (prop, prop.aligned(circuits_order)):
        columns = form.measured(circuits_order)
        np.testing.assert_array_equal(columns[:, [2, 0]], data)
        assert np.isnan(columns[:, 1]).all()
    kept = data.copy()
    data[:] = 0
    np.testing.assert_array_equal(prop.measured(NAMES), kept)
    again = ne.EmergentProperty.from_description(prop.description())
    assert again == prop and again.measured(NAMES) is None
    assert ne.EmergentProperty.from_data(kept[:, 0]).measured(("s",)).shape == (9, 1)
