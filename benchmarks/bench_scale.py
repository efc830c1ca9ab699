"""Variance and dimension: the rank-2 network's property from few neurons to many, by particles.

``python -m benchmarks.bench_scale --neurons 5 10 25 50 --figure docs/figures/variance-and-dimension.png`` prints
the table of docs/variance_and_dimension.md and draws its figure; with ``--fit --seeds 0 1 2`` it fits flows and
prints what they reach.
"""

import argparse
import resource
import time
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

import numepi as ne
from numepi.inference.assessment.outside import log_z_outside
from numepi.inference.particles.annealing import ParticleSettings, Stage, anneal, begin, go_on
from numepi.inference.particles.density import TemperedDensity
from numepi.inference.particles.evidence import evidence
from numepi.inference.particles.plain import plain_flow
from numepi.inference.problem import Problem
from numepi.worker_threads import one_blas_thread

WITHIN = 6.0
SETTINGS = ParticleSettings(particles=300)
LARGE = 100  # neurons, from which on networks in single precision will do
FIT_LARGE = {"precision": "float32", "particles": 200}
# Ten minutes of two cores are what it is to take.
FIT_LARGEST = FIT_LARGE | {"ess_floor": 0.6, "length": 0.3, "most_moves": 4, "learn_steps": 1200}
LARGEST = 250
DRAWS = 20_000
# Of log q, which spreads over 18 nats at N = 100, where 20,000 draws know the entropy to 0.12; at N = 250 they will do.
ENTROPY_DRAWS = 100_000
_PRECISE = {"xatol": 1e-6, "fatol": 1e-9, "maxiter": 4000}
POWERS = (86, 163, 424)  # of the density of the second statistic, at N = 50, 100, 250
# Exact values for comparison: importance sampling (N = 10) and sequential Monte Carlo of another author's making.
LEAST = {10: 25.6, 25: 44.3, 50: 45.0, 100: -4.0, 250: -345.0}  # nats that a fit should reach
REFERENCE = {10: 25.88, 25: 44.7, 50: 46.2, 100: -1.7, 250: -331.5}


class Row(NamedTuple):
    """Of one network: what means alone leave, and the solution with variances in the region."""

    neurons: int
    deviation: np.ndarray  # (2,) of the statistics about their target means, where only means are asked for
    log_z_means: float
    multipliers: np.ndarray  # (4,) in natural scales, at the solution
    log_z: float
    stderr: float
    forward: float
    backward: float
    outside: float
    seconds: float  # of CPU


def measure(neurons, seed=0, settings=SETTINGS):
    """The `Row` of a network of so many ``neurons``."""
    circuit = ne.circuits.RankTwoRNN(n_neurons=neurons)
    prop = ne.EmergentProperty(mean=[0.5, 1.5], variance=[0.25**2, 0.25**2], within=WITHIN)
    problem = Problem(circuit, prop, np.random.SeedSequence(seed))
    constraints = problem.constraints
    line = plain_flow(circuit.support)
    density = TemperedDensity(problem, line, np.empty(0), constraints.region.contains)
    generator = np.random.default_rng(seed)
    start = time.process_time()
    anywhere = TemperedDensity(problem, line, np.empty(0))
    means, stage = begin(anywhere, settings, generator), Stage("temper")
    while means.failure is None and stage.name != "all":
        stage = go_on(anywhere, means, stage, constraints.is_mean, settings, generator)
    deviation = np.sqrt(np.mean(means.particles.violation[:, :2] ** 2, axis=0)) * 0.25
    path = anneal(density, constraints.is_mean, settings, generator)
    for each in (means, path):
        if each.failure is not None:
            raise RuntimeError(each.failure)
    found = evidence(density, path, settings, generator)
    eta = path.point.eta
    outside = log_z_outside(problem, line, np.empty(0), eta / constraints.scale, constraints.region)
    seconds = time.process_time() - start
    return Row(
        neurons, deviation, means.log_z, eta, found.log_z, found.stderr, found.forward, found.backward, outside, seconds
    )  # fmt: skip


class Fit(NamedTuple):
    """Of a flow that learnt one network from particles."""

    neurons: int
    seed: int
    met: bool
    off: np.ndarray  # (4,) of fresh draws in the property's region: misses of the targets, in tolerances
    outside: float  # share of fresh draws that lie beyond it
    entropy: float  # of other fresh draws
    entropy_stderr: float
    kl: float
    kl_stderr: float
    bound: float
    bound_stderr: float
    held: float  # the bound for noise that is held fixed, as the reference has it
    reliable: bool
    seconds: float  # of CPU, certificate included
    wall: float
    peak: int  # MB of the process


def fit_settings(neurons):
    """Of the solver by particles, for a network of so many ``neurons``."""
    return {} if neurons < LARGE else FIT_LARGE if neurons < LARGEST else FIT_LARGEST


def fit(neurons, seed=0):
    """The `Fit` of a network of so many ``neurons``, from nothing to a certificate."""
    circuit = ne.circuits.RankTwoRNN(n_neurons=neurons)
    prop = circuit.emergent_property()
    start, begun = time.process_time(), time.perf_counter()
    result = ne.infer(circuit, prop, rng=seed, solver="particles", progress=False, **fit_settings(neurons))
    seconds, wall = time.process_time() - start, time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    f = circuit.statistics(result.sample(DRAWS, rng=1), rng=2)
    within = np.inf if prop.within is None else prop.within
    inside = (np.abs(f - prop.mean) <= within * np.sqrt(prop.variance)).all(axis=1)
    T = np.concatenate([f, (f - prop.mean) ** 2], axis=1)[inside]
    target = np.concatenate([prop.mean, prop.variance])
    found = result.certificate
    entropy, stderr = _entropy(result, ENTROPY_DRAWS if neurons < LARGEST else DRAWS)
    return Fit(
        neurons, seed, result.success, (T.mean(axis=0) - target) / (0.1 * np.repeat([0.25, 0.25**2], 2)),
        1 - inside.mean(), entropy, stderr, found.kl, found.kl_stderr, found.entropy_bound, found.entropy_bound_stderr,
        found.entropy_bound - found.noise_shift, found.reliable, seconds, wall, peak,
    )  # fmt: skip


def _entropy(result, n):
    """Of ``n`` draws, in nats, and its error."""
    log_q = np.concatenate([
        result.distribution.sample_with_log_prob(DRAWS, rng=3 + start)[1] for start in range(n // DRAWS)
    ])  # fmt: skip
    return -float(log_q.mean()), float(log_q.std() / np.sqrt(len(log_q)))


class Particles:
    """Entropies of the exact solution by particles, and what they cost."""

    params = (10, 25, 50)
    param_names = ("neurons",)
    timeout = 600

    def setup_cache(self):
        """Each network once."""
        with one_blas_thread():
            return {n: measure(n) for n in self.params}

    def track_entropy(self, rows, neurons):
        """H* in nats."""
        return rows[neurons].log_z

    def track_miss(self, rows, neurons):
        """Nats from the reference."""
        return abs(rows[neurons].log_z - REFERENCE[neurons])

    def track_forward_backward(self, rows, neurons):
        """Nats between the two ends of the path."""
        return abs(rows[neurons].forward - rows[neurons].backward)

    def track_cpu_seconds(self, rows, neurons):
        """Of one core."""
        return rows[neurons].seconds


class Fits:
    """What flows reach that learnt from particles; the bars are those of `LEAST`."""

    params = (10, 25, 50)
    param_names = ("neurons",)
    timeout = 1800

    def setup_cache(self):
        """Each network once."""
        with one_blas_thread():
            return {n: fit(n) for n in self.params}

    def track_entropy(self, fits, neurons):
        """Nats."""
        return fits[neurons].entropy

    def track_short_of_bar(self, fits, neurons):
        """Nats; zero where the entropy is enough."""
        return max(0.0, LEAST[neurons] - fits[neurons].entropy)

    def track_kl(self, fits, neurons):
        """KL to maximum entropy by the certificate."""
        return fits[neurons].kl

    def track_worst_constraint(self, fits, neurons):
        """Largest miss of 20,000 fresh draws, in tolerances."""
        return float(np.abs(fits[neurons].off).max())

    def track_miss_of_reference(self, fits, neurons):
        """Nats between the certificate's H* and the reference, both with noise that is held."""
        return abs(fits[neurons].held - REFERENCE[neurons])

    def track_reliable(self, fits, neurons):
        """Whether the certificate is."""
        return float(fits[neurons].reliable)

    def track_cpu_seconds(self, fits, neurons):
        """Of one core, certificate included."""
        return fits[neurons].seconds


class LargeFits(Fits):
    """The same of the paper's largest networks: twenty minutes of one core."""

    params = (100, 250)
    timeout = 3600


class Edge(NamedTuple):
    """Of a density that rises like the ``power`` of a statistic, 1.5 +- 0.25 asked for: the solution in a region."""

    power: int
    within: float
    alone: float  # target s.d. of the statistic where its mean alone is asked for
    multiplier: float  # of the square, in natural scales
    bulk: float  # target s.d. of what lies within 2 of them below the region's edge
    share: float  # beyond that
    cost: float  # nats below the solution with the mean alone


def edge(power, within):
    """The `Edge` of such a density, by quadrature: the rank-2 network's second statistic is nearly so (6 d + 6 = 24 f).

    The power is six times its multiplier in natural scales where the means alone are asked for.
    """
    x = np.linspace(-min(within, 5.999), within, 20_001)
    density, step = power * np.log1p(x / 6), x[1] - x[0]

    def dual(eta, T):
        return logsumexp(density + T @ eta) + np.log(step)

    mean, both = x[:, None], np.column_stack([x, x * x - 1])
    first = minimize(dual, [-power / 6], args=(mean,), method="Nelder-Mead", options=_PRECISE)
    found = minimize(dual, [first.x[0], 0.0], args=(both,), method="Nelder-Mead", options=_PRECISE)
    alone = np.exp(density + mean @ first.x - first.fun) * step
    p = np.exp(density + both @ found.x - found.fun) * step
    far = x > within - 2
    return Edge(
        power, within, np.sqrt(alone @ x**2), np.sqrt(2) * found.x[1], np.sqrt(p[~far] @ x[~far] ** 2 / p[~far].sum()),
        p[far].sum(), first.fun - found.fun,
    )  # fmt: skip


def edge_table(rows):
    """Lines of the page's second table."""
    yield "| power | within | s.d., mean alone | multiplier of the square | s.d. of the bulk | at the edge | nats |"
    yield "|---|---|---|---|---|---|---|"
    for r in rows:
        yield (
            f"| {r.power} | {r.within:g} | {r.alone:.2f} | {r.multiplier:.2f} | {r.bulk:.2f} | {r.share:.2%} | "
            f"{r.cost:.1f} |"
        )


def fit_table(fits):
    """Lines of what flows reach."""
    columns = (
        "met | misses in tolerances | outside | entropy | KL | H* | noise held | reliable | CPU s (wall) | peak MB"
    )
    yield f"| N | seed | {columns} |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|---|"
    for r in fits:
        off = ", ".join(f"{value:.2f}" for value in r.off)
        yield (
            f"| {r.neurons} | {r.seed} | {'yes' if r.met else 'no'} | {off} | {r.outside:.2%} | "
            f"{r.entropy:.2f} ± {r.entropy_stderr:.2f} | {r.kl:.2f} ± {r.kl_stderr:.2f} | "
            f"{r.bound:.2f} ± {r.bound_stderr:.2f} | {r.held:.2f} | "
            f"{'yes' if r.reliable else 'no'} | {r.seconds:.0f} ({r.wall:.0f}) | {r.peak} |"
        )


def table(rows):
    """Lines of the page's table."""
    head = (
        "| N | s.d. of Re λ₁, λ₁ˢ with means alone | multipliers of the squares | H* in the region | outside | CPU s |"
    )
    yield head
    yield "|---|---|---|---|---|---|"
    for r in rows:
        far = "none found" if np.isneginf(r.outside) else f"{r.outside:.0f}"
        yield (
            f"| {r.neurons} | {r.deviation[0]:.3f}, {r.deviation[1]:.3f} | {r.multipliers[2]:.2f}, "
            f"{r.multipliers[3]:.2f} | {r.log_z:.2f} ± {r.stderr:.2f} ({r.forward:.2f}, {r.backward:.2f}) | {far} | "
            f"{r.seconds:.0f} |"
        )


def draw(rows, path):
    """Spread with means alone, and the sign of the multipliers, against N."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    n = [r.neurons for r in rows]
    for i, name in enumerate(("Re λ₁", "λ₁ˢ")):
        left.plot(n, [r.deviation[i] for r in rows], "o-", label=name)
        right.plot(n, [r.multipliers[2 + i] for r in rows], "o-", label=name)
    left.axhline(0.25, color="k", linestyle="--", label="asked for")
    right.axhline(0.0, color="k", linestyle="--")
    left.set(xscale="log", xlabel="neurons N", ylabel="s.d. with means alone", ylim=(0, None))
    right.set(xscale="log", xlabel="neurons N", ylabel="multiplier of the square")
    left.legend(frameon=False)
    for axes in (left, right):
        axes.set_xticks(n, [str(each) for each in n])
        axes.minorticks_off()
    figure.savefig(path, dpi=120)


def main():
    """See the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, nargs="+", default=[5, 10, 25, 50])
    parser.add_argument("--figure")
    parser.add_argument(
        "--edge", action="store_true", help="print what one-dimensional models have at the region's edge"
    )
    parser.add_argument("--fit", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    arguments = parser.parse_args()
    if arguments.edge:
        print("\n".join(edge_table([edge(power, within) for power in POWERS for within in (6.0, 3.0)])))
        return
    rows = []
    with one_blas_thread():
        if arguments.fit:
            for neurons in arguments.neurons:
                for seed in arguments.seeds:
                    rows.append(fit(neurons, seed))
                    print(list(fit_table(rows[-1:]))[-1], flush=True)
            return
        for neurons in arguments.neurons:
            rows.append(measure(neurons))
            print(list(table(rows[-1:]))[-1], flush=True)
    print("\n".join(table(rows)))
    if arguments.figure:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
