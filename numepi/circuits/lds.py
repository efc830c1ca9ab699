"""Two-dimensional linear dynamical system: oscillation and growth from four recurrent weights (paper: Figure 1)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from numepi.arguments import check_number
from numepi.circuits.base import Circuit, Trajectories
from numepi.kernels.compile import block_function, scalar
from numepi.property.emergent_property import EmergentProperty
from numepi.simulation.rows import RowJob, RowStatistics
from numepi.support import Support

__all__ = ["LDS"]


@scalar
def lds_eigenvalue(a11, a12, a21, a22, tau):
    """Real and imaginary part of the dominant eigenvalue of A / tau, and the root that its derivatives divide by.

    lambda = (tr + sqrt(tr^2 - 4 det)) / 2.  Returns (re, im, sqrt|disc|, is_real).
    """
    trace = a11 + a22
    # tr^2 - 4 det without the cancellation
    discriminant = (a11 - a22) * (a11 - a22) + 4 * (a12 * a21)
    root = math.sqrt(abs(discriminant))
    if discriminant >= 0:
        return (trace + root) / (2 * tau), 0 * root, root, True
    return trace / (2 * tau), root / (2 * tau), root, False


@scalar
def lds_eigenvalue_gradient(a11, a12, a21, a22, root, is_real, tau):
    """d sqrt|disc| / dz / (2 tau): four numbers, zero where the eigenvalue is repeated.

    d disc/dz = (2 (a11 - a22), 4 a21, 4 a12, -2 (a11 - a22)) and d sqrt(disc) = d disc / (2 sqrt(disc)).
    """
    sign = 1 if is_real else -1
    inverse = sign / (2 * tau * root) if root > 0 else 0 * root
    difference = (a11 - a22) * inverse
    return difference, 2 * a21 * inverse, 2 * a12 * inverse, -difference


class LDSConstants(NamedTuple):
    """Numbers of the equations below."""

    tau: float


@block_function
def no_workspace(z):
    """Return no arrays: a row needs none."""
    return ()


@scalar
def lds_row(z, c, index, key, noise, work, f, jacobian):
    """Fill f (2,) and, unless it is empty, jacobian (2, 4) of one parameter."""
    a11, a12, a21, a22 = z[0], z[1], z[2], z[3]
    re, im, root, is_real = lds_eigenvalue(a11, a12, a21, a22, c.tau)
    f[0], f[1] = re, im
    if len(jacobian) > 0:
        half = z.dtype.type(1) / (2 * c.tau)
        gradient = lds_eigenvalue_gradient(a11, a12, a21, a22, root, is_real, c.tau)
        moving, still = (0, 1) if is_real else (1, 0)
        for d in range(4):
            jacobian[moving, d] = gradient[d]
            jacobian[still, d] = 0
        jacobian[0, 0] += half
        jacobian[0, 3] += half


EIGENVALUE = RowStatistics(name="lds", n_statistics=2, row=lds_row, workspace=no_workspace, rows_per_share=4096)


class LDS(Circuit):
    """tau dx/dt = A x, with z = [a11, a12, a21, a22] (dimensionless) on [-10, 10]^4.

    Statistics: real part (growth rate, 1/s) and imaginary part (angular frequency, rad/s) of the eigenvalue of A / tau
    of greatest real part, or of positive imaginary part for a complex pair (science: section 4.1).  At a repeated
    eigenvalue the derivative of the square root is infinite; there numepi reports that of the trace part alone, so the
    Jacobian is finite everywhere.

    Parameters
    ----------
    tau : float
        Time constant in seconds.
    """

    name = "lds"
    parameter_names = ("a11", "a12", "a21", "a22")
    statistic_names = ("re_lambda1", "im_lambda1")
    support = Support([-10.0] * 4, [10.0] * 4)

    def __init__(self, tau: float = 1.0) -> None:
        self.tau = check_number("tau", tau, above=0)

    def emergent_property(self) -> EmergentProperty:
        """Oscillation near 1 Hz: mean [0, 2 pi], variance [0.25^2, (pi/5)^2] (paper: Figure 1)."""
        return EmergentProperty(mean=[0.0, 2 * np.pi], variance=[0.25**2, (np.pi / 5) ** 2])

    def _job(self, noise):
        return RowJob(EIGENVALUE, LDSConstants(self.tau))

    def _simulate(self, z, key, noise):
        from scipy.linalg import expm

        time = np.linspace(0.0, 2.0, 201)
        step = expm(z.reshape(-1, 2, 2) * (time[1] / self.tau))
        values = np.empty((len(z), len(time), 2))
        values[:, 0] = np.sqrt(0.5)
        for t in range(1, len(time)):
            values[:, t] = np.einsum("nij,nj->ni", step, values[:, t - 1])
        return Trajectories(time, values, ("x1", "x2"))
