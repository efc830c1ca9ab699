"""The pyloric network: a population of simulated networks that has the animals' moments, and what goes with it.

Without options it reads what is stored in docs/figures, writes pyloric.md and draws the figures.  ``--fresh`` begins
with draws of the box of its own in place of the stored networks; ``--more N`` simulates N generations of networks about
those that worked; ``--rounds N`` goes on with N rounds of chains on a surrogate; ``--settle`` draws the population from
what these found and simulates it again; ``--fit`` fits a flow to the surrogate and certifies it on fresh rows.  All is
kept in ``--out``, where the next call finds it and goes on.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from paper import pyloric, pyloric_flow, pyloric_metric, pyloric_rounds, pyloric_shape
from scipy import stats

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi import plotting
from numepi.circuits.pyloric.bursts import FEATURES
from numepi.circuits.pyloric.constants import TARGETS

_STORED = Path(__file__).parents[1] / "docs" / "figures"
_POPULATION = ("pyloric-first.npz", "pyloric-second.npz")  # the same networks with two noises
_NEAR = 12.0  # squared distance to the six means: twice what it is on average where property A is met
_MEANS, _VARIANCES = 0.15, 0.2  # how near property A is to be met, in the animals' s.d. and variances
_ROUNDS, _SIZE = 10, 1500  # the population: from so many of the last rounds, and how many networks
_SPLIT, _BETWEEN = pyloric.CIRCUIT.parameter_names.index("log_AB_PY_slow"), -9.8  # where there are next to none
_SHOWN = 6
_SECONDS = (3.0, 6.0)  # of the traces


def main():
    """Gather as asked for; table and figures."""
    options = _options()
    kept = options.out / "pyloric-networks.npz"
    if options.fresh and not kept.exists():
        pyloric.save(kept, pyloric.survey(pyloric.SURVEYED, options.seed))
    networks = _stored("pyloric-networks.npz", options)
    for _ in range(options.more):
        new = pyloric.generation(networks, [options.seed, len(networks.z)])
        networks = pyloric.joined(networks, new)
        pyloric.save(kept, networks)
        print(
            f"{len(networks.z)} networks; of the last {len(new.z)} {new.valid.mean():.0%} have all features", flush=True
        )
    if options.rounds or options.settle or options.fit:
        _gather(networks, options)
    _report(networks, *(_stored(name, options) for name in _POPULATION), options)


def _gather(networks, options):
    """Rounds of chains, and the population that they lead to."""
    kept = options.out / "pyloric-rounds.npz"
    rounds = pyloric_rounds.load(kept) if kept.exists() else pyloric_rounds.begin(networks)
    for _ in range(options.rounds):
        rounds = pyloric_rounds.round_of(rounds, networks, options.seed)
        pyloric_rounds.save(kept, rounds)
        last = rounds.networks.part(slice(-pyloric_rounds.SIMULATED, None))
        x = last.standard[last.valid]
        print(
            f"round {rounds.number}: {last.valid.mean():.0%} of chains of {rounds.length} steps end at networks with "
            f"all features; means {np.round(x.mean(axis=0), 2)}, variances {np.round(x.var(axis=0), 2)}",
            flush=True,
        )
    if options.settle:
        first, effective = pyloric_rounds.population(rounds, networks, _ROUNDS, _SIZE, options.seed)
        print(f"the population: of {effective:.0f} effective networks")
        fresh = pyloric.CIRCUIT.statistics(first.z, rng=[options.seed, rounds.number, 1])
        for name, f in zip(_POPULATION, (first.f, fresh)):
            pyloric.save(options.out / name, first._replace(f=f))
    if options.fit:
        settled = pyloric_rounds.settled(rounds, networks, options.seed)
        theta, settled = pyloric_flow.fitted(settled, rounds.bias, np.random.default_rng([options.seed, 3]))
        answer = pyloric_flow.judged(theta, settled, options.seed)
        pyloric_flow.save(options.out / "pyloric-flow.npz", answer)


def _stored(name, options):
    """Networks of an earlier call, or those of the documentation."""
    kept = options.out / name
    return pyloric.load(kept if kept.exists() else _STORED / name)


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="nothing is simulated: no traces")
    parser.add_argument("--seed", type=int, default=0, help="names every random number (default 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="directory (default out)")
    parser.add_argument("--fresh", action="store_true", help="begin with draws of the box, not with stored networks")
    parser.add_argument("--more", type=int, default=0, help="generations of 256 networks to simulate (15 s each)")
    parser.add_argument("--rounds", type=int, default=0, help="rounds of 512 networks from chains (45 s each)")
    parser.add_argument("--settle", action="store_true", help="draw the population, and simulate it again (2 min)")
    parser.add_argument("--fit", action="store_true", help="fit a flow to the surrogate and certify it (2 min)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def _report(networks, first, second, options):
    """The population was chosen by its first simulation; what it is is seen in the second, with fresh noise."""
    again = second.valid
    lines = ["# The pyloric network", "", f"`python examples/pyloric.py{' --quick' * options.quick}`", ""]
    lines += _shares(networks, second)
    lines += _reach(networks.part(networks.valid))
    lines += _moments(first.part(again), second.part(again))
    lines += _flow(options)
    lines += _predictions(second.part(again))
    lines += pyloric_shape.apart(second.part(again))
    larger = second.part(again & (second.z[:, _SPLIT] < _BETWEEN))
    lines += [
        f"Two groups: in {len(larger.z) / again.sum():.0%} the slow synapse from AB to PY is below exp({_BETWEEN}) mS, "
        "in the others above. What follows is of the larger group.",
        "",
        *pyloric_shape.shape(larger),
        *pyloric_shape.sensitive(pyloric_metric.metric(networks, first, second), larger),
        *pyloric_shape.conditional(larger),
    ]
    if not options.quick:
        _traces(second.part(second.distance < _NEAR), options)
    _features(networks, second.part(again), options)
    _pairs(second.part(again), options)
    (options.out / "pyloric.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _shares(networks, second):
    """How many have all features."""
    lines = ["| simulated | with all features | 95 % interval |", "|---|---|---|"]
    groups = {
        "draws of the box": networks.valid[: pyloric.SURVEYED],
        "draws near others that worked": networks.valid[pyloric.SURVEYED :],
        "networks of the population, with fresh noise": second.valid,
    }
    for name, valid in groups.items():
        low, high = stats.binomtest(int(valid.sum()), len(valid)).proportion_ci(method="wilson")
        lines.append(f"| {len(valid):,} {name} | {valid.mean():.1%} | {low:.2%} to {high:.2%} |")
    return [*lines, ""]


def _reach(worked):
    """How near the networks come."""
    least = ", ".join(f"{d:.1f}" for d in np.sort(worked.distance)[:3])
    weights, has_moments = pyloric.reach(worked)
    return [
        f"Of {len(worked.z):,} stored networks with all features {(worked.distance < _NEAR).sum()} lie within a "
        f"squared distance of {_NEAR:.0f} of the six means, the nearest at {least}. Weights that give them all twelve "
        f"moments "
        f"{'exist' if has_moments else 'do not exist'}: {1 / np.sum(weights**2):.0f} effective networks.",
        "",
    ]


def _moments(first, second):
    """The twelve moments of the population, with the noise that it was chosen by and with fresh noise."""
    x, before = second.standard, first.standard
    mean, variance = x.mean(axis=0), x.var(axis=0)
    met = np.all(np.abs(mean) < _MEANS) and np.all(np.abs(variance - 1) < _VARIANCES)
    lines = [
        f"The population: {len(x)} networks with all features on fresh noise, {len(np.unique(second.z, axis=0))} "
        f"different ones. Property A (means within {_MEANS} s.d., variances within {_VARIANCES:.0%}) is "
        f"{'met' if met else 'not met'} there.",
        "",
        "| feature | chosen by: mean from the target in s.d. | variance, of the target | fresh: mean | variance | "
        "noise in the variance |",
        "|---|---|---|---|---|---|",
    ]
    noise = np.mean((before - x) ** 2, axis=0) / 2
    errors = _error(second.z, x - mean), _error(second.z, (x - mean) ** 2 - variance)
    for k, name in enumerate(pyloric.FIXED):
        fresh = f"{mean[k]:+.2f} ± {errors[0][k]:.2f} | {variance[k]:.2f} ± {errors[1][k]:.2f}"
        lines.append(f"| `{name}` | {before[:, k].mean():+.2f} | {before[:, k].var():.2f} | {fresh} | {noise[k]:.2f} |")
    return [*lines, ""]


def _flow(options):
    """What the flow's own fresh rows say."""
    name = "pyloric-flow.npz"
    kept = options.out / name
    flow = pyloric_flow.load(kept if kept.exists() else _STORED / name)
    x = flow.standard[flow.valid]
    cells = ", ".join(f"{mean:+.2f} ({variance:.2f})" for mean, variance in zip(x.mean(axis=0), x.var(axis=0)))
    return [
        f"The flow: {flow.valid.mean():.0%} of {len(flow.z)} draws have all features; their means from the targets in "
        f"s.d. and, in brackets, variances of the targets, in the table's order: {cells}. Certificate: {flow.verdict}.",
        "",
    ]


def _error(z, centred):
    """Standard error of the mean of ``centred`` (n, k): the same network counts once, however often it was drawn."""
    _, network = np.unique(z, axis=0, return_inverse=True)
    sums = np.zeros((network.max() + 1, centred.shape[1]))
    np.add.at(sums, network.ravel(), centred)
    return np.sqrt(np.sum(sums**2, axis=0)) / len(z)


def _predictions(second):
    """The nine features that property A does not fix, with fresh noise."""
    lines = ["| predicted | animals | population | mean, in s.d. | s.d., of the animals' |", "|---|---|---|---|---|"]
    for k, name in enumerate(FEATURES):
        if name in pyloric.FIXED:
            continue
        mean, sd = second.f[:, k].mean(), second.f[:, k].std()
        target, spread = TARGETS[name]
        form = ".3f" if name.startswith("phase") else ".0f"
        lines.append(
            f"| `{name}` | {target:{form}} ± {spread:{form}} | {mean:{form}} ± {sd:{form}} | "
            f"{(mean - target) / spread:+.2f} | {sd / spread:.2f} |"
        )
    return [*lines, ""]


def _features(networks, second, options):
    """All fifteen features, from the animals' means in their standard deviations."""
    centre, spread = np.array([TARGETS[name] for name in FEATURES]).T
    drawn = np.random.default_rng(1).choice(len(second.z), size=300, replace=False)
    groups = {
        "the box": networks.part(np.flatnonzero(networks.valid[: pyloric.SURVEYED])).f,
        "population, fresh noise": second.f[drawn],
    }
    figure, ax = plt.subplots(figsize=(9, 3.6))
    place = np.arange(len(FEATURES))
    ax.axhspan(-1, 1, color="0.9", label="animals: mean ± s.d.")
    for shift, (label, f), colour in zip((-0.15, 0.15), groups.items(), ("0.6", "C0")):
        x = (f[:, : len(FEATURES)] - centre) / spread
        ax.plot(place + shift + np.zeros((len(x), 1)), x, ".", ms=2, alpha=0.3, color=colour)
        ax.errorbar(place + shift, x.mean(axis=0), x.std(axis=0), fmt="o", ms=4, color=colour, label=label)
    ax.set_xticks(place, [f"{n}*" if n in pyloric.FIXED else n for n in FEATURES], rotation=60, ha="right", fontsize=8)
    ax.set(ylim=(-6, 6), ylabel="(feature − mean) / s.d. of animals")
    ax.legend(fontsize=8, ncols=3, loc="upper right")
    plotting.tidy(ax)
    figure.savefig(options.out / "pyloric-features.png", dpi=110, bbox_inches="tight")


def _pairs(population, options):
    """The six parameters whose spread is least against the box."""
    names, support = pyloric.CIRCUIT.parameter_names, pyloric.CIRCUIT.support
    shown = np.sort(np.argsort(pyloric.in_ranges(population.z).std(axis=0))[:6])
    axes = plotting.pairs(population.z, names=names, support=support, parameters=[names[i] for i in shown])
    axes[0, 0].figure.savefig(options.out / "pyloric-pairs.png", dpi=70, bbox_inches="tight")


def _traces(near, options):
    """Six networks near the six means, as far apart as there are: the next is the farthest from those before."""
    u = near.z / pyloric.CIRCUIT.support.width
    chosen = [int(np.argmin(near.distance))]
    while len(chosen) < _SHOWN:
        away = np.min([np.linalg.norm(u - u[i], axis=1) for i in chosen], axis=0)
        chosen.append(int(np.argmax(away)))
    path = ne.circuits.Pyloric(duration=_SECONDS[1]).simulate(near.z[chosen], rng=options.seed, every=20)
    late = path.time >= _SECONDS[0]
    figure, axes = plt.subplots(_SHOWN, 2, figsize=(9, 8), width_ratios=(3, 2))
    for (left, right), number, values in zip(axes, chosen, path.values[:, late]):
        for k, cell in enumerate(("AB", "LP", "PY")):
            left.plot(path.time[late], values[:, 13 * k] - 130 * k, lw=0.5, color=f"C{k}", label=cell)
        left.set(yticks=[], xticks=[])
        right.bar(
            np.arange(len(u[0])), (near.z[number] - pyloric.CIRCUIT.support.lower) / pyloric.CIRCUIT.support.width
        )
        right.set(ylim=(0, 1), xticks=[], yticks=[0, 1])
        plotting.tidy(right)
    axes[0, 0].legend(fontsize=7, ncols=3, loc="upper right")
    axes[-1, 0].set(xlabel=f"{_SECONDS[1] - _SECONDS[0]:.0f} s")
    axes[-1, 1].set(xlabel="31 parameters, in the box")
    figure.savefig(options.out / "pyloric-traces.png", dpi=80, bbox_inches="tight")


if __name__ == "__main__":
    main()
