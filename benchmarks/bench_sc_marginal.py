"""The bent sW-hW marginal of the superior colliculus against importance-weighted brute force, by a two-sample test.

Brute force knows nothing of flows: uniform draws over the support, T averaged over several simulations of 200 trials,
and the multipliers that minimise the dual on those weights.  A cheap screening decides where most simulations go, by
chance and with weights that make up for it.
"""

import numpy as np
from scipy.optimize import brentq

import numepi as ne
from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights

LEAST_SHARE = 1 / 200  # of the draws that the screening finds hopeless
REPLICATES = 12
DRAWS = 8_000_000
CUT = 0.02
PERMUTATIONS = 2000
PLANE = (0, 2)  # sW, hW


def brute_force(n, seed=0, block=50_000):
    """Draws z (m, 4) with normalised weights (m,) under p*, and its entropy: from ``n`` uniform draws."""
    screen, circuit = ne.circuits.SC(trials=32), ne.circuits.SC()
    support, generator = circuit.support, np.random.default_rng([seed, 0])
    parts, log_measure = [], []
    for start in range(0, n, block):
        z = generator.uniform(support.lower, support.upper, (min(block, n - start), 4))
        p = screen.statistics(z, rng=[seed, 1, start], precision="float32")
        # Graded, so that no draw which 32 trials misjudge gets a great weight.
        off = np.maximum(np.abs(p - 0.75) - 0.15, 0.0).sum(axis=1)
        share = np.maximum(np.exp(-off / 0.04), LEAST_SHARE)
        kept = generator.random(len(z)) < share
        parts.append(z[kept])
        log_measure.append(-np.log(share[kept]))
    z, log_base = np.concatenate(parts), np.concatenate(log_measure)
    constraints = circuit.emergent_property().constraints(circuit.statistic_names)
    T = np.zeros((len(z), len(constraints)))
    for replicate in range(REPLICATES):
        f = circuit.statistics(z, rng=[seed, 2, replicate], precision="float32")
        T += constraints.sufficient_statistics(f) / REPLICATES
    violation = (T - constraints.target) / constraints.scale
    step = minimise_dual(violation, log_base, np.zeros(len(constraints)), floor=20, max_steps=200)
    if not step.optimal:
        raise RuntimeError(f"n = {n} draws are too few: the dual's optimum was not reached")
    log_weights = log_base + violation @ step.eta
    shift = log_weights.max()
    entropy = support.log_volume + shift + np.log(np.exp(log_weights - shift).sum() / n)
    return z, normalised_weights(log_weights), float(entropy)


def independent_draws(z, weights, generator):
    """A sample of p* without repetitions: each row is kept with a probability in proportion to its weight.

    The greatest weights are cut, which takes ``CUT`` of the mass: else a few of them would leave next to no draws.
    """
    cap = brentq(lambda cap: np.maximum(weights - cap, 0).sum() - CUT, 0, weights.max())
    return z[generator.random(len(z)) < weights / cap]


def energy_test(x, y, generator):
    """Energy distance of samples (n, d), (m, d) relative to their distance, 0 to 1; and the permutation p-value."""
    both = np.concatenate([x, y])
    both = (both - both.mean(axis=0)) / both.std(axis=0)
    distance = np.linalg.norm(both[:, None] - both, axis=2)
    n, m, total = len(x), len(y), distance.sum()

    def statistic(first):
        across = distance[np.ix_(first, ~first)].sum()
        within_x = distance[np.ix_(first, first)].sum()
        within_y = total - 2 * across - within_x
        return (2 * across / (n * m) - within_x / n**2 - within_y / m**2) / (2 * across / (n * m))

    labels = np.arange(n + m) < n
    observed = statistic(labels)
    shuffled = [statistic(generator.permutation(labels)) for _ in range(PERMUTATIONS)]
    return float(observed), float((1 + np.sum(np.array(shuffled) >= observed)) / (1 + PERMUTATIONS))


class BentShape:
    """Default settings of the dual solver; what is tested are as many samples as brute force has independent draws."""

    timeout = 10_000
    params = ("flow", "corrected samples", "Gaussian of the same moments")
    param_names = ("sample",)

    def setup_cache(self):
        circuit = ne.circuits.SC()
        result = ne.infer(circuit, circuit.emergent_property(), rng=0, progress=False)
        return comparisons(result, *brute_force(DRAWS))

    def track_p_value(self, answers, sample):
        return answers[sample][1]

    track_p_value.unit = "below 0.05: rejected"

    def track_energy_distance(self, answers, sample):
        return answers[sample][0]

    track_energy_distance.unit = "of 1"

    def track_entropy_by_brute_force(self, answers, sample):
        return answers["entropy"]

    track_entropy_by_brute_force.unit = "nats"


def comparisons(result, z, weights, entropy):
    """Energy distance and p-value of each sample's sW-hW marginal against brute force, and what that found."""
    generator = np.random.default_rng(1)
    exact = independent_draws(z, weights, generator)[:, list(PLANE)]
    n = 2 * len(exact)
    gaussian = generator.multivariate_normal(exact.mean(axis=0), np.cov(exact.T), n)
    samples = {
        "flow": result.sample(n, rng=1)[:, list(PLANE)],
        "corrected samples": result.sample(n, rng=1, corrected=True)[:, list(PLANE)],
        "Gaussian of the same moments": gaussian,
    }
    answers = {name: energy_test(exact, sample, generator) for name, sample in samples.items()}
    mean = weights @ z
    return answers | {
        "entropy": entropy,
        "draws": len(exact),
        "ess": effective_sample_size(weights),
        "mean": mean,
        "sd": np.sqrt(weights @ (z - mean) ** 2),
    }
