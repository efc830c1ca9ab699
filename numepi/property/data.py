"""Moments of measurements, and how well so many measurements know them."""

import numpy as np

from numepi.arguments import check_names, real_array

__all__ = ["moments_of_data"]

_LEAST = 4  # values: fewer say nothing of the error of their own variance


def moments_of_data(data, names, covariance):
    """Means, variances, covariances and the standard errors of each, by the names of `Constraints`.

    Rows are taken to be independent.  The variance v is the unbiased one, its error from the fourth moment m4 that of
    any distribution, sqrt((m4 - v^2 (n - 3) / (n - 1)) / n).  NaN and masked entries are missing: each statistic
    uses the rows that have it, a correlation those that have both; a covariance is that times the standard deviations.

    Returns
    -------
    dict
        Arguments of `numepi.EmergentProperty`.
    """
    data = real_array("data", data)
    if data.ndim == 1:
        data = data[:, None]
    if data.ndim != 2 or data.shape[1] == 0:
        raise ValueError(f"data has shape {data.shape}: expected (n, k), a row for each experiment")
    if names is not None:
        names = check_names("names", names, count=data.shape[1])
    if covariance and names is None:
        raise ValueError("covariance=True needs names: covariances are of statistics by name")
    if np.isinf(data).any():
        row, column = np.argwhere(np.isinf(data))[0]
        raise ValueError(f"data[{row}, {column}] = {data[row, column]}: give finite numbers, or NaN for missing ones")
    labels = names or [f"column {i}" for i in range(data.shape[1])]
    mean, variance, errors = [], [], {}
    for label, column in zip(labels, data.T):
        values = column[~np.isnan(column)]
        if len(values) < _LEAST or np.ptp(values) == 0:
            what = f"{len(values)} values" if len(values) < _LEAST else f"only the value {values[0]:g}"
            raise ValueError(f"data of {label} has {what}: give at least {_LEAST}, not all equal")
        n, centre, spread = len(values), values.mean(), values.var(ddof=1)
        fourth = np.mean((values - centre) ** 4)
        mean.append(float(centre)), variance.append(float(spread))
        errors[f"mean {label}"] = float(np.sqrt(spread / n))
        errors[f"variance {label}"] = float(np.sqrt(max(fourth - spread**2 * (n - 3) / (n - 1), 0.0) / n))
    covariances = _covariances(data, names, variance, errors) if covariance else {}
    return {
        "mean": mean, "variance": variance, "covariance": covariances, "statistics": names,
        "standard_error": errors if names else {},
    }  # fmt: skip


def _covariances(data, names, variance, errors):
    covariances = {}
    for i, a in enumerate(names):
        for j in range(i + 1, len(names)):
            pair = data[:, [i, j]]
            pair = pair[~np.isnan(pair).any(axis=1)]
            if len(pair) < _LEAST:
                raise ValueError(f"data of {a} and {names[j]} has {len(pair)} rows with both: give at least {_LEAST}")
            standard = (pair - pair.mean(axis=0)) / pair.std(axis=0, ddof=1)
            products = np.prod(standard, axis=1)
            # The rows that have both say how they go together, all rows how far each goes: they agree with variances.
            size = float(np.sqrt(variance[i] * variance[j]))
            covariances[a, names[j]] = float(size * products.sum() / (len(pair) - 1))
            errors[f"covariance {a}, {names[j]}"] = float(size * products.std() / np.sqrt(len(pair)))
    return covariances
