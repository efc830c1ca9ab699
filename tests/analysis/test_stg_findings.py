"""The exact maximum-entropy density of the stomatogastric subcircuit, by quadrature: its entropy, and its flat ridge.

Two parameters on a grid of 48 x 48 cells, 24 draws of the statistics in each; the exponent is corrected for their
noise as in the science, section 1.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.polynomial import legendre

import numepi as ne
from numepi.analysis import perturb
from tests.analysis.tilted import tilted

CELLS, DRAWS = 48, 24
TARGET, VARIANCE = 0.55, 0.025**2


@pytest.fixture(scope="module")
def exact():
    """Grid z (n, 2), hub frequency f (n, draws), multipliers and probability of each cell, entropy in nats."""
    circuit = ne.circuits.STG()
    low, high = circuit.support.lower, circuit.support.upper
    axes = [a + (np.arange(CELLS) + 0.5) / CELLS * (b - a) for a, b in zip(low, high)]
    z = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    f = circuit.statistics(np.repeat(z, DRAWS, axis=0), rng=1)[:, 0].reshape(-1, DRAWS)
    T = np.stack([f - TARGET, (f - TARGET) ** 2 - VARIANCE], axis=-1)
    eta, p = tilted(T)
    area = np.prod(high - low) / CELLS**2
    place = 2 * (z - low) / (high - low) - 1
    return SimpleNamespace(z=z, f=f, eta=eta, p=p, entropy=-np.sum(p * np.log(p / area)), place=place,
                           scale=2 / (high - low))  # fmt: skip


def smooth(exact, y, degree):
    """Value (n,), gradient (n, 2) and Hessian (n, 2, 2) of a polynomial fit to y (n,) where the density is."""
    i, j = np.array([(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]).T
    basis = legendre.legvander2d(*exact.place.T, [degree, degree]).reshape(len(y), degree + 1, degree + 1)[:, i, j]
    weight = np.sqrt(exact.p / exact.p.max() + 1e-3)
    coefficients = np.zeros((degree + 1, degree + 1))
    coefficients[i, j] = np.linalg.lstsq(basis * weight[:, None], y * weight, rcond=None)[0]

    def derivative(a, b):
        c = legendre.legder(legendre.legder(coefficients, a, axis=0), b, axis=1)
        return legendre.legval2d(*exact.place.T, c) * exact.scale[0] ** a * exact.scale[1] ** b

    gradient = np.stack([derivative(1, 0), derivative(0, 1)], axis=-1)
    mixed = derivative(1, 1)
    hessian = np.stack([np.stack([derivative(2, 0), mixed], -1), np.stack([mixed, derivative(0, 2)], -1)], -1)
    return derivative(0, 0), gradient, hessian


def test_a_gaussian_of_the_papers_curvature_has_a_third_of_a_nat_less_than_is_possible(exact):
    assert exact.entropy == pytest.approx(1.41, abs=0.03)
    gaussian = np.log(2 * np.pi * np.e) - 0.5 * np.log(10.7 * 3.22)  # the paper's eigenvalues at its mode
    assert gaussian == pytest.approx(1.07, abs=0.005)
    assert exact.entropy - gaussian > 0.3


# on average -5.6, -6.0, -6.7, -6.2, -7.4, -7.6 and -0.28, -0.31, -0.04, -0.24, -0.18, -0.37
@pytest.mark.parametrize("degree", [5, 6, 7, 8, 9, 10])
def test_along_the_ridge_the_exact_density_is_flat(exact, degree):
    f, slope, bend = smooth(exact, exact.f.mean(axis=1), degree)
    _, noise_slope, noise_bend = smooth(exact, exact.f.var(axis=1, ddof=1), 3)
    first, second = exact.eta
    lean = first + 2 * second * (f - TARGET)
    gradient = lean[:, None] * slope + second * noise_slope
    hessian = 2 * second * slope[:, :, None] * slope[:, None, :] + lean[:, None, None] * bend + second * noise_bend
    eigenvalues, vectors = np.linalg.eigh(hessian)
    # points whose distance from the ridge along the sensitive direction, by one Newton step, is less than half a cell
    away = np.abs(np.einsum("ni,ni->n", gradient, vectors[:, :, 0]) / eigenvalues[:, 0])
    ridge = (eigenvalues[:, 0] < 0) & (away < 0.04) & (exact.p > 0.02 * exact.p.max())
    assert ridge.sum() > 20
    sensitive, robust = np.average(eigenvalues[ridge], axis=0, weights=exact.p[ridge])
    assert -9 < sensitive < -4  # the paper: -10.7
    assert abs(robust) < 0.6 and abs(np.median(eigenvalues[ridge, 1])) < 0.5  # the paper: -3.22


def test_ripples_of_a_fit_cancel_in_the_median_hessian_which_has_the_papers_directions():
    q = ne.load(Path(__file__).parents[2] / "docs" / "findings" / "fits" / "stg-dual-0.npz").distribution
    z, log_q = q.sample_with_log_prob(1000, rng=1)
    denser = z[log_q >= np.median(log_q)]
    (first, second), vectors = np.linalg.eigh(np.median(q.hessian(denser), axis=0))
    assert -15 < first < -5 and first < 2 * second  # the paper: -10.7, -3.22
    circuit = ne.circuits.STG()
    # of 100 points, 4 trials each; 34 and 14 mHz over 200 points and 100 trials
    moved = perturb(circuit, denser[:100], {"v1": vectors[:, 0], "v2": vectors[:, 1]}, [-0.5, 0, 0.5], trials=4)
    v1, v2 = (np.abs(np.diff(moved.along(name)[:, :, 0], axis=1)).mean() for name in ("v1", "v2"))
    assert v1 > 1.5 * v2
