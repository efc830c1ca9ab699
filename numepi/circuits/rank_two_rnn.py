"""Rank-2 recurrent network: stable amplification from low-rank connectivity (paper: Figure 2; Bondanelli & Ostojic).

Nothing here is N x N.  With B = [U V] (N, 4), the growth rate comes from A = V^T U (2, 2), and the amplification from
the Gram matrix of B: (W + W^T) / 2 = B K B^T / 2, K exchanging U and V, has the non-zero eigenvalues of the symmetric
4 x 4 matrix L^T K L / 2, where B^T B = L L^T.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from numepi.arguments import check_count, check_number
from numepi.circuits.base import Circuit, Trajectories
from numepi.circuits.lds import lds_eigenvalue, lds_eigenvalue_gradient
from numepi.kernels.compile import block_function, kernel, vector_kernel
from numepi.kernels.random import normals4
from numepi.kernels.small_matrices import cholesky, jacobi_largest
from numepi.property.emergent_property import EmergentProperty
from numepi.simulation.rows import RowJob, RowStatistics
from numepi.support import Support

__all__ = ["RankTwoRNN"]

_NEEDS_REGION = 25  # neurons, from which the multiplier of a square is positive (`benchmarks.bench_scale`)
_REGION = 6.0  # target standard deviations


class RNNConstants(NamedTuple):
    """Numbers of the equations below."""

    g: float


@kernel
def fill_factors(z, g, index, key, noise, factors):
    """Fill factors (4, N): rows U1, U2, V1, V2 of z (4N,) plus g times standard normals.

    ``noise`` (4N,) holds chi_U (N, 2) and chi_V (N, 2); where it is empty they are drawn, four for each neuron, at the
    counter (index, 0, 0, neuron).
    """
    n = factors.shape[1]
    if len(noise) > 0:
        for j in range(n):
            for r in range(2):
                factors[r, j] = z[r * n + j] + g * noise[2 * j + r]
                factors[2 + r, j] = z[(2 + r) * n + j] + g * noise[2 * (n + j) + r]
        return
    for j in range(n):
        u1, u2, v1, v2 = normals4(index, 0, 0, j, key[0], key[1], g)
        factors[0, j] = z[j] + g * u1
        factors[1, j] = z[n + j] + g * u2
        factors[2, j] = z[2 * n + j] + g * v1
        factors[3, j] = z[3 * n + j] + g * v2


@vector_kernel
def gram_matrix(factors, gram):
    """Fill gram (4, 4) with the inner products of the rows of factors (4, N)."""
    for a in range(4):
        for b in range(a + 1):
            total = factors.dtype.type(0)
            for j in range(factors.shape[1]):
                total += factors[a, j] * factors[b, j]
            gram[a, b] = gram[b, a] = total


@vector_kernel
def project(factors, u, projection):
    """Fill projection (4,) with the inner products of the rows of factors (4, N) and u (N,)."""
    for a in range(4):
        total = factors.dtype.type(0)
        for j in range(factors.shape[1]):
            total += factors[a, j] * u[j]
        projection[a] = total


@kernel
def symmetric_eigenpair(factors, gram, matrix, vectors, lower, x, u):
    """Largest eigenvalue of (W + W^T) / 2, and its unit eigenvector in u (N,); u = 0 where the eigenvalue vanishes.

    Room to work in: ``matrix``, ``vectors`` (min(N, 4), min(N, 4)), ``lower`` (4, 4), ``x`` (4,).
    """
    n_neurons, size = len(u), len(matrix)
    if n_neurons <= 4:
        # As small as the reduced problem, whose rank deficiency would add zero eigenvalues.
        for i in range(size):
            for j in range(size):
                w_ij = factors[0, i] * factors[2, j] + factors[1, i] * factors[3, j]
                w_ji = factors[0, j] * factors[2, i] + factors[1, j] * factors[3, i]
                matrix[i, j] = 0.5 * (w_ij + w_ji)
        largest = jacobi_largest(matrix, vectors)
        for j in range(size):
            u[j] = vectors[j, largest]
        return matrix[largest, largest]
    x[:] = 0.0
    cholesky(gram, lower)
    for a in range(4):
        for b in range(4):
            matrix[a, b] = 0.0
            for k in range(4):
                matrix[a, b] += 0.5 * lower[k, a] * lower[k ^ 2, b]
    largest = jacobi_largest(matrix, vectors)
    eigenvalue = matrix[largest, largest]
    if not abs(eigenvalue) <= 1e-14 * (gram[0, 0] + gram[1, 1] + gram[2, 2] + gram[3, 3]):
        # u = B x with x = K L y / (2 lambda): no inverse of L is needed
        for a in range(4):
            for k in range(4):
                x[a] += lower[a ^ 2, k] * vectors[k, largest] / (2.0 * eigenvalue)
    for j in range(n_neurons):
        u[j] = x[0] * factors[0, j] + x[1] * factors[1, j] + x[2] * factors[2, j] + x[3] * factors[3, j]
    return eigenvalue


@kernel
def rnn_jacobian(factors, gram, u, root, is_real, projection, jacobian):
    """Fill jacobian (2, 4N) from d lambda_1 / dA and from the eigenvector u of (W + W^T) / 2."""
    like = factors.dtype.type
    d11, d12, d21, d22 = 0.5, 0.0, 0.0, 0.5
    if is_real:
        a11, a12, a21, a22 = lds_eigenvalue_gradient(gram[2, 0], gram[2, 1], gram[3, 0], gram[3, 1], root, True, 1.0)
        d11, d12, d21, d22 = d11 + a11, a12, a21, d22 + a22
    n = len(u)
    project(factors, u, projection)
    d11, d12, d21, d22 = like(d11), like(d12), like(d21), like(d22)
    for j in range(n):
        jacobian[0, j] = d11 * factors[2, j] + d21 * factors[3, j]
        jacobian[0, n + j] = d12 * factors[2, j] + d22 * factors[3, j]
        jacobian[0, 2 * n + j] = d11 * factors[0, j] + d12 * factors[1, j]
        jacobian[0, 3 * n + j] = d21 * factors[0, j] + d22 * factors[1, j]
        # d lambda = u^T dW u
        jacobian[1, j] = u[j] * projection[2]
        jacobian[1, n + j] = u[j] * projection[3]
        jacobian[1, 2 * n + j] = u[j] * projection[0]
        jacobian[1, 3 * n + j] = u[j] * projection[1]


@block_function
def rnn_workspace(z):
    """Room for one row: factors and u in the precision of z; gram, matrix, vectors, lower and x; projection."""
    n_neurons = z.shape[1] // 4
    size = min(n_neurons, 4)
    return (
        np.empty((4, n_neurons), z.dtype), np.empty(n_neurons, z.dtype), np.empty((4, 4)), np.empty((size, size)),
        np.empty((size, size)), np.empty((4, 4)), np.empty(4), np.empty(4, z.dtype),
    )  # fmt: skip


@kernel
def rnn_row(z, c, index, key, noise, work, f, jacobian):
    """Fill f (2,) and, unless it is empty, jacobian (2, 4N) of one parameter z (4N,)."""
    factors, u, gram, matrix, vectors, lower, x, projection = work
    fill_factors(z, c.g, index, key, noise, factors)
    gram_matrix(factors, gram)
    # A[q, r] = V_q . U_r
    re, _, root, is_real = lds_eigenvalue(gram[2, 0], gram[2, 1], gram[3, 0], gram[3, 1], 1.0)
    f[0] = re
    f[1] = symmetric_eigenpair(factors, gram, matrix, vectors, lower, x, u)
    if not math.isfinite((gram[0, 0] + gram[1, 1] + gram[2, 2] + gram[3, 3]) * re):
        f[:] = np.nan
        jacobian[:] = np.nan
    elif len(jacobian) > 0:
        rnn_jacobian(factors, gram, u, root, is_real, projection, jacobian)


RNN = RowStatistics(name="rnn", n_statistics=2, row=rnn_row, workspace=rnn_workspace)


class RankTwoRNN(Circuit):
    """tau dx/dt = -x + W x with W = U V^T, U = [U1 U2] + g chi_U and V = [V1 V2] + g chi_V, chi standard normal.

    The parameters z = [U1, U2, V1, V2] (each N numbers) lie in [-1, 1]^4N.  Statistics (science: section 4.3):

    ``re_lambda1``
        Re lambda_1 of A = V^T U, lambda = (Tr A + sqrt(Tr^2 A - 4 Det A)) / 2; stable below 1.  W has the two
        eigenvalues of A and, for N >= 3, N - 2 that are zero: the statistic leaves those out, as the paper does, and
        can be negative, where the greatest real part of all eigenvalues of W is at least zero.  For a complex pair it
        is Tr A / 2.  At a repeated eigenvalue, where the root's derivative is infinite, the Jacobian is that of
        Tr A / 2 alone: finite everywhere.
    ``lambda1_s``
        The largest eigenvalue of (W + W^T) / 2; activity is amplified above 1.  Its Jacobian is u^T dW u for one unit
        eigenvector u, also where the eigenvalue is repeated, and zero where it vanishes.

    Parameters
    ----------
    n_neurons : int
        N, at least 2.
    g : float
        Standard deviation of the random part of the connectivity.
    tau : float
        Time constant in seconds, for `simulate` only.

    Notes
    -----
    The given noise is ``{"noise": (n, 2, N, 2)}``: chi_U and chi_V.  Internally neuron j draws its four normals at the
    counter (parameter index, 0, 0, j).
    """

    name = "rnn"
    statistic_names = ("re_lambda1", "lambda1_s")
    noise_names = ("noise",)
    parameter_vectors = 4  # U1, U2, V1, V2

    def __init__(self, n_neurons: int = 10, g: float = 0.01, tau: float = 0.1) -> None:
        self.n_neurons = check_count("n_neurons", n_neurons, least=2)
        self.g = check_number("g", g, least=0)
        self.tau = check_number("tau", tau, above=0)
        self.support = Support([-1.0] * (4 * self.n_neurons), [1.0] * (4 * self.n_neurons))
        self.parameter_names = tuple(
            f"{vector}_{j + 1}" for vector in ("U1", "U2", "V1", "V2") for j in range(self.n_neurons)
        )

    @property
    def sign_symmetries(self) -> tuple[tuple[int, ...], ...]:  # type: ignore[override]
        """The pairs U_k, V_k, which leave W alone; and each neuron in all four, which changes its basis."""
        n = self.n_neurons
        pairs = [(*range(k * n, (k + 1) * n), *range((2 + k) * n, (3 + k) * n)) for k in range(2)]
        return (*pairs, *(tuple(range(j, 4 * n, n)) for j in range(n)))

    def emergent_property(self) -> EmergentProperty:
        """Stable amplification: mean [0.5, 1.5], variance [0.25^2, 0.25^2] (paper: Figure 2).

        From 25 neurons on that is more variance than the networks near these means have, and the solution is sought
        within 6 standard deviations of them: on the whole support it would make up the variance with a vanishing mass
        far out (docs/variance_and_dimension.md).
        """
        within = _REGION if self.n_neurons >= _NEEDS_REGION else None
        return EmergentProperty(mean=[0.5, 1.5], variance=[0.25**2, 0.25**2], within=within)

    def _check_noise(self, noise, n):
        noise = super()._check_noise(noise, n)
        expected = (n, 2, self.n_neurons, 2)
        if noise is not None and noise["noise"].shape != expected:
            raise ValueError(f"noise['noise'] has shape {noise['noise'].shape}: expected {expected}")
        return noise

    def _job(self, noise):
        given = None if noise is None else noise["noise"].reshape(len(noise["noise"]), -1)
        return RowJob(RNN, RNNConstants(self.g), given)

    def _simulate(self, z, key, noise):
        """Exact |x(t)|-ready activity over 10 tau from the most amplified unit state.

        x(0) is the unit eigenvector of lambda1_s (largest component positive): |x| starts to change at the rate
        (lambda1_s - 1) / tau, the fastest of all states.  x(t) = e^-s (x0 + U Phi(s) V^T x0), s = t / tau and
        Phi(s) = integral of e^(A s), a block of the exponential of [[A, I], [0, 0]].
        """
        from scipy.linalg import expm

        time = np.linspace(0.0, 10 * self.tau, 201)
        scaled = time[1] / self.tau
        values = np.empty((len(z), len(time), self.n_neurons))
        chi = np.empty((len(z), 0)) if noise is None else noise["noise"].reshape(len(z), -1)
        factors, u, gram, *room, _ = rnn_workspace(z)
        for i, row in enumerate(np.ascontiguousarray(z)):
            fill_factors(row, self.g, i, key, chi[i], factors)
            gram_matrix(factors, gram)
            symmetric_eigenpair(factors, gram, *room, u)
            x0 = u * np.sign(u[np.argmax(np.abs(u))])
            step = expm(np.block([[gram[2:, :2], np.eye(2)], [np.zeros((2, 4))]]) * scaled)
            propagator = np.eye(4)
            for t in range(len(time)):
                response = propagator[:2, 2:] @ (factors[2:] @ x0)
                values[i, t] = np.exp(-t * scaled) * (x0 + response @ factors[:2])
                propagator = step @ propagator
        return Trajectories(time, values, tuple(f"x{j + 1}" for j in range(self.n_neurons)))
