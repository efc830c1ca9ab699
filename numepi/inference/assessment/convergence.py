"""The statistical tests of Algorithm 1: is the property met, and must the penalty grow (science: section 2)."""

import numpy as np
from scipy import stats

__all__ = ["null_accepted", "null_p_values", "penalty_grows"]

_ROUNDING = 1e-9  # of a constraint's natural scale: far above the rounding of a mean, far below any tolerance


def null_p_values(means, is_bound=False):
    """Two-tailed non-parametric p-value of each constraint's null hypothesis R_i = 0; one-tailed, R_i <= 0, of bounds.

    Parameters
    ----------
    means : ndarray (M, m)
        M independent means of the constraint violations, in natural scales, over N_test samples each.
    is_bound : ndarray (m,), bool
        Which targets are upper bounds.

    Returns
    -------
    ndarray (m,)
        2 min(fraction >= 0, fraction <= 0), at most 1; of a bound the fraction <= 0.  What is zero but for rounding (a
        constant statistic, exactly at its target) is zero.
    """
    above = np.mean(means > -_ROUNDING, axis=0)
    below = np.mean(means < _ROUNDING, axis=0)
    return np.where(is_bound, below, np.minimum(1.0, 2 * np.minimum(above, below)))


def null_accepted(p_values, significance=0.05):
    """The paper's criterion: every p-value exceeds ``significance`` over the number of constraints (Bonferroni).

    With no bias it always passes; a biased answer passes while the bias is small against the spread of the means.
    """
    return bool(np.all(p_values > significance / len(p_values)))


def penalty_grows(norms, previous_norms, uniform, reduction=0.25):
    """Whether the penalty grows after an epoch (one-sided Welch test, as the authors' code decides it).

    Parameters
    ----------
    norms, previous_norms : ndarray (M,)
        Estimates of ||R|| after this epoch and after the last.
    uniform : float
        A draw from U[0, 1): growth has probability 1 - p, with p the one-sided p-value of
        E||R_k+1|| > reduction E||R_k||, and never happens where the means do not say so.
    reduction : float
        gamma: the fall in ||R|| that an epoch should achieve.
    """
    test = stats.ttest_ind(norms, reduction * np.asarray(previous_norms), equal_var=False)
    return bool(test.statistic > 0 and uniform < 1 - test.pvalue / 2)
