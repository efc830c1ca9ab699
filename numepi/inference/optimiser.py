"""The Adam optimiser (Kingma & Ba 2015), with state that can be stored and reset."""

from dataclasses import dataclass

import numpy as np

from numepi.kernels.compile import kernel

__all__ = ["Adam", "Moments"]


@kernel
def adam(theta, gradient, mean, square, b1, b2, rate, epsilon):
    """Move theta, mean and square (n,) by one step; rate and epsilon hold the corrections of the moments' bias."""
    for i in range(len(theta)):
        mean[i] += (1 - b1) * (gradient[i] - mean[i])
        square[i] += (1 - b2) * (gradient[i] * gradient[i] - square[i])
        theta[i] -= rate * mean[i] / (np.sqrt(square[i]) + epsilon)


@dataclass(frozen=True)
class Moments:
    """State of `Adam`: running first and second moment of the gradient (n_parameters,), and steps taken."""

    mean: np.ndarray
    square: np.ndarray
    count: int

    @classmethod
    def zero(cls, n_parameters):
        """Before the first step."""
        return cls(np.zeros(n_parameters), np.zeros(n_parameters), 0)


class Adam:
    """First-order optimiser with running moments of the gradient; it *descends*.

    Parameters
    ----------
    n_parameters : int
    decay : (float, float)
        Of the first and second moment.
    clip_norm : float, optional
        Gradients of greater Euclidean norm are scaled down to it.
    """

    def __init__(self, n_parameters, decay=(0.9, 0.999), epsilon=1e-8, clip_norm=None):
        self.decay = decay
        self.epsilon = epsilon
        self.clip_norm = clip_norm
        self.mean = np.zeros(n_parameters)
        self.square = np.zeros(n_parameters)
        self.count = 0

    def reset(self):
        """Forget the moments (Algorithm 1 does so at every epoch)."""
        self.mean[:] = 0
        self.square[:] = 0
        self.count = 0

    def step(self, theta, gradient, rate):
        """Return the parameters after one step of learning rate ``rate`` against ``gradient``, both (n_parameters,)."""
        gradient = np.asarray(gradient, np.float64)
        if self.clip_norm is not None:
            norm = np.linalg.norm(gradient)
            if norm > self.clip_norm:
                gradient = gradient * (self.clip_norm / norm)
        self.count += 1
        b1, b2 = self.decay
        correction = np.sqrt(1 - b2**self.count)
        moved = np.array(theta, np.float64)
        adam(
            moved, np.ascontiguousarray(gradient), self.mean, self.square, b1, b2,
            rate * correction / (1 - b1**self.count), self.epsilon * correction,
        )  # fmt: skip
        return moved

    @property
    def moments(self):
        """A copy of the state, which `continue_from` takes."""
        return Moments(self.mean.copy(), self.square.copy(), self.count)

    def continue_from(self, moments):
        """Take over the state `moments`; returns the optimiser."""
        self.mean, self.square, self.count = moments.mean.copy(), moments.square.copy(), moments.count
        return self

    def state(self):
        """The arrays that define the optimiser's state."""
        return {"mean": self.mean, "square": self.square, "count": self.count}

    def restore(self, state):
        """Continue from what `state` returned."""
        self.mean = np.array(state["mean"], np.float64)
        self.square = np.array(state["square"], np.float64)
        self.count = int(state["count"])
