"""Every simulation of the last rounds, with deterministic mixture weights: adaptive multiple importance sampling.

Round r draws from g_r = (1 - d) q_r + d q_0: the flow as it was, and a share d of the start (the prior on a box), which
bounds the weights and keeps looking where the flow has no mass.  A sample's density is that of the mixture of *all*
rounds in the window (Owen & Zhou 2000; Cornuet et al. 2012), so a lucky early draw carries no outsized weight.
"""

import numpy as np
from scipy.special import logsumexp

__all__ = ["Replay"]


class Replay:
    """Samples z with sufficient statistics, and their log densities under each of the window's proposals.

    Parameters
    ----------
    window : int
        Rounds kept.
    defensive : float
        d above.

    Attributes
    ----------
    log_base : ndarray (n,)
        log p0 - log g of each sample, g the mixture of the window's proposals.
    noisy : bool
        Whether any sample's T was averaged over several simulations.
    """

    def __init__(self, window, defensive, dim, n_constraints):
        self.window = window
        self.defensive = defensive
        self.z = np.empty((0, dim))
        self.violation = np.empty((0, n_constraints))
        self.covariance = np.empty((0, n_constraints, n_constraints))
        self.log_prior = np.empty(0)
        self.log_start = np.empty(0)
        self.log_flows = np.empty((0, 0))  # (n, rounds in the window)
        self.round = np.empty(0, int)
        self.thetas = np.empty((0, 0))
        self.log_base, self.noisy = np.empty(0), False
        self.drawn = np.empty(0, int)  # parameters in each of the window's rounds, failed ones too

    def __len__(self):
        return len(self.z)

    def add(self, flow, theta, theta_start, n_drawn, z, violation, covariance, log_prior):
        """Add what is left of ``n_drawn`` rows from the mixture of the flow at ``theta`` and ``theta_start``.

        The oldest round is dropped.
        """
        number = int(self.round[-1]) + 1 if len(self) else 0
        first_kept = number - self.window + 1
        keep = self.round >= first_kept
        n_old_flows = min(len(self.thetas), self.window - 1)
        thetas = self.thetas[len(self.thetas) - n_old_flows :]
        old = self.log_flows[keep][:, self.log_flows.shape[1] - n_old_flows :]
        old = (
            np.column_stack([old, flow.log_prob(theta, self.z[keep])]) if keep.any() else np.empty((0, n_old_flows + 1))
        )
        new = np.column_stack([flow.log_prob(t, z) for t in [*thetas, theta]])
        self.log_flows = np.concatenate([old, new])
        self.thetas = (
            np.concatenate([thetas.reshape(n_old_flows, -1), theta[None]]) if n_old_flows else theta[None].copy()
        )
        self.drawn = np.append(self.drawn[len(self.drawn) - n_old_flows :], n_drawn)
        self.z = np.concatenate([self.z[keep], z])
        self.violation = np.concatenate([self.violation[keep], violation])
        self.covariance = np.concatenate([self.covariance[keep], covariance])
        self.log_prior = np.concatenate([self.log_prior[keep], log_prior])
        self.log_start = np.concatenate([self.log_start[keep], flow.log_prob(theta_start, z)])
        self.round = np.concatenate([self.round[keep], np.full(len(z), number)])
        self._settle()

    def _settle(self):
        """What every use of the replay asks for, once a round."""
        if not len(self):
            return
        # A round's share is what it *drew*; rows that failed are missing, and do not change it.
        log_flow = logsumexp(self.log_flows + np.log(self.drawn / self.drawn.sum()), axis=1) + np.log1p(-self.defensive)
        self.log_base = self.log_prior - np.logaddexp(log_flow, self.log_start + np.log(self.defensive))
        self.noisy = bool(self.covariance.any())

    def state(self):
        """Everything, as arrays."""
        names = ("z", "violation", "covariance", "log_prior", "log_start", "log_flows", "round", "thetas", "drawn")
        return {name: getattr(self, name) for name in names}

    def restore(self, arrays):
        """Continue from what `state` returned."""
        for name, value in arrays.items():
            setattr(self, name, value)
        self._settle()
