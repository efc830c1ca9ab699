"""What a flow is to everybody else: the methods that solvers, results and analyses call.

The families of `numepi.flow.families` satisfy it; a family of a user's own needs no base class.
"""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np

from numepi.support import Support

__all__ = ["Flow"]


@runtime_checkable
class Flow(Protocol):
    """A density q(z; theta) on a support, and a map from standard normals to samples of it.

    A flow owns no parameters: theta (n_parameters,) float64 belongs to whoever fits it.  Methods may be called from
    several threads, give float64 whatever they compute in, and raise ValueError where a shape is wrong.  A row of an
    argument decides the same row of the answer, alone or in a batch, to the bit.

    Attributes
    ----------
    support : Support
        Where samples lie, (D,).
    dim : int
        D.
    n_parameters : int
    precision : str
        "float64" or "float32": what it computes in.
    description : dict
        JSON-able; with the key "family", under which stored results name it.
    """

    support: Support
    dim: int
    n_parameters: int
    precision: str

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that tells this flow from others; "family" is its class."""

    def initial_parameters(self, rng: Any = 0) -> np.ndarray:
        """Theta (n_parameters,) of the broadest distribution: uniform on a box, if the family can."""

    def sample(self, theta: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Samples z (n, D) from standard normals ``base`` (n, D), and log q(z) (n,)."""

    def sample_with_pullback(
        self, theta: np.ndarray, base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
        """As `sample`, and ``pullback(grad_z (n, D), grad_log_q (n,))``: the gradient (n_parameters,) in theta."""

    def log_prob(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Log q (n,) at ``z`` (n, D): -inf outside of the support, NaN where z is NaN."""

    def log_prob_with_pullback(
        self, theta: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]]:
        """As `log_prob`, and ``pullback(grad_log_q (n,))``: the gradients in theta (n_parameters,) and z (n, D)."""

    def log_prob_gradient(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """d log q / dz (n, D); NaN in rows outside of the support."""

    def log_prob_hessian_product(self, theta: np.ndarray, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """d^2 log q / dz^2 times ``v`` (n, D), row by row (n, D); NaN in rows outside of the support."""
