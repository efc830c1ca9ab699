"""The pyloric network: a population of simulated networks that has the animals' moments, and what goes with it.

Without options it reads the simulated networks in docs/figures, writes pyloric.md and draws the figures.  ``--more N``
simulates N further generations of networks first, ``--again N`` the N nearest to the means twice more with fresh noise;
both keep all in ``--out``, where the next call finds them.  ``--fit ROWS`` learns from them: numepi.infer for property
A with so many simulations of its own, with a checkpoint in ``--out`` from which the same call with more rows goes on.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np
from paper import pyloric
from scipy import stats

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi import plotting
from numepi.circuits.pyloric.bursts import FEATURES
from numepi.circuits.pyloric.constants import TARGETS

_STORED = Path(__file__).parents[1] / "docs" / "figures"
_AGAIN = ("pyloric-again.npz", "pyloric-fresh.npz")
_BOX = 5632  # of the stored networks are draws of the box, and come first
_NEAR = 12.0  # squared distance to the six means: twice what it is on average where property A is met
_SHOWN = 6
_SECONDS = (3.0, 6.0)  # of the traces


def main():
    """Gather or fit as asked for; table and figures."""
    options = _options()
    kept = options.out / "pyloric-networks.npz"
    networks = _stored("pyloric-networks.npz", options)
    for _ in range(options.more):
        new = pyloric.generation(networks, [options.seed, len(networks.z)])
        networks = pyloric.Networks(*(np.concatenate(pair) for pair in zip(networks, new)))
        pyloric.save(kept, networks)
        print(
            f"{len(networks.z)} networks; of the last {len(new.z)} {new.valid.mean():.0%} have all features", flush=True
        )
    for number, name in enumerate(_AGAIN if options.again else ()):
        near = networks.part(np.argsort(networks.distance)[: options.again])  # NaN comes last
        again = near._replace(f=pyloric.CIRCUIT.statistics(near.z, rng=[options.seed, number]))
        pyloric.save(options.out / name, again)
    if options.fit:
        _fit(networks, options)
    _report(networks, [_stored(name, options) for name in _AGAIN], options)


def _stored(name, options):
    """Networks of an earlier call, or those of the documentation."""
    kept = options.out / name
    return pyloric.load(kept if kept.exists() else _STORED / name)


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="nothing is simulated: no traces")
    parser.add_argument("--seed", type=int, default=0, help="names every random number (default 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="directory (default out)")
    parser.add_argument("--more", type=int, default=0, help="generations of 256 networks to simulate (15 s each)")
    parser.add_argument("--again", type=int, default=0, help="nearest networks to simulate twice more (0.1 s each)")
    parser.add_argument("--fit", type=int, default=0, help="simulations of a fit (checkpointed)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def _fit(networks, options):
    """Property A by the dual solver, which learns from the networks; its result without them."""
    circuit = ne.circuits.Pyloric(features="A")
    result = ne.infer(
        circuit, circuit.emergent_property(), rng=options.seed, max_simulations=options.fit,
        simulations=networks.simulations, checkpoint=options.out / "pyloric-fit.npz", resume=True, max_batch=256,
        round_size=400, most_misses=30, surrogate_steps=500, kl=0.3,
    )  # fmt: skip
    print(result)
    result.save(options.out / "pyloric-result.npz")


def _report(networks, repeats, options):
    """The population is made from a first repeat, and what it does is seen in the second: none chose its own noise."""
    worked = networks.part(networks.valid)
    both = repeats[0].valid & repeats[1].valid
    first, second = (each.part(both) for each in repeats)
    weights, has_moments = pyloric.population(first)
    lines = ["# The pyloric network", "", f"`python examples/pyloric.py{' --quick' * options.quick}`", ""]
    lines += _shares(networks, repeats)
    lines += _reach(worked)
    lines += _moments(first, second, weights, has_moments)
    lines += _predictions(second, weights)
    lines += _apart(first, weights)
    if not options.quick:
        _traces(second.part(second.distance < _NEAR), options)
    _features(networks, second, weights, options)
    _pairs(second, options)
    (options.out / "pyloric.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def _shares(networks, repeats):
    """How many have all features."""
    lines = ["| simulated | with all features | 95 % interval |", "|---|---|---|"]
    groups = {
        "draws of the box": networks.valid[:_BOX],
        "draws near others that worked": networks.valid[_BOX:],
        "repeats, with fresh noise, of those nearest to the means": np.concatenate([each.valid for each in repeats]),
    }
    for name, valid in groups.items():
        low, high = stats.binomtest(int(valid.sum()), len(valid)).proportion_ci(method="wilson")
        lines.append(f"| {len(valid):,} {name} | {valid.mean():.1%} | {low:.2%} to {high:.2%} |")
    return [*lines, ""]


def _reach(worked):
    """How near the networks come."""
    least = ", ".join(f"{d:.1f}" for d in np.sort(worked.distance)[:3])
    weights, has_moments = pyloric.population(worked)
    return [
        f"Of {len(worked.z):,} networks with all features {(worked.distance < _NEAR).sum()} lie within a squared "
        f"distance of {_NEAR:.0f} of the six means, the nearest at {least}. Weights that give them all twelve moments "
        f"{'exist' if has_moments else 'do not exist'}: {1 / np.sum(weights**2):.0f} effective networks.",
        "",
    ]


def _moments(first, second, weights, has_moments):
    """The twelve moments of the population, with the noise it was made from and with fresh noise."""
    lines = [
        f"The population: {len(weights)} networks near the means, simulated twice more; weights from the first repeat "
        f"({'all' if has_moments else 'not all'} twelve moments met there), {1 / np.sum(weights**2):.0f} effective.",
        "",
        "| feature | mean of the first repeat, from the target in s.d. | variance, of the target | mean, fresh | "
        "variance, fresh | noise in the variance |",
        "|---|---|---|---|---|---|",
    ]
    noise = np.mean((first.standard - second.standard) ** 2, axis=0) / 2
    columns = [m for x in (first.standard, second.standard) for m in (weights @ x, weights @ x**2)]
    for name, a, b, c, d, e in zip(pyloric.FIXED, *columns, noise):
        lines.append(f"| `{name}` | {a:+.2f} | {b:.2f} | {c:+.2f} | {d:.2f} | {e:.2f} |")
    return [*lines, ""]


def _predictions(second, weights):
    """The nine features that property A does not fix, with fresh noise."""
    lines = ["| predicted | animals | population | mean, in s.d. | s.d., of the animals' |", "|---|---|---|---|---|"]
    for k, name in enumerate(FEATURES):
        if name in pyloric.FIXED:
            continue
        mean = weights @ second.f[:, k]
        sd = np.sqrt(weights @ (second.f[:, k] - mean) ** 2)
        target, spread = TARGETS[name]
        form = ".3f" if name.startswith("phase") else ".0f"
        lines.append(
            f"| `{name}` | {target:{form}} ± {spread:{form}} | {mean:{form}} ± {sd:{form}} | "
            f"{(mean - target) / spread:+.2f} | {sd / spread:.2f} |"
        )
    return [*lines, ""]


def _apart(near, weights):
    """How far apart networks lie that have much the same features."""
    names, width = pyloric.CIRCUIT.parameter_names, pyloric.CIRCUIT.support.width
    drawn = near.z[np.random.default_rng(0).choice(len(weights), size=(2, 2000), p=weights)]
    apart = np.median(np.abs(drawn[0] - drawn[1]) / width, axis=0)
    order = np.argsort(apart)
    ends = [", ".join(f"{names[i]} {apart[i]:.2f}" for i in part) for part in (order[:6], order[-6:])]
    return [
        f"Median difference of two of its networks, in ranges of the box (uniform draws: 0.29): {np.median(apart):.2f} "
        f"over all parameters; the least {ends[0]}; the greatest {ends[1]}.",
        "",
    ]


def _features(networks, second, weights, options):
    """All fifteen features, from the animals' means in their standard deviations."""
    centre, spread = np.array([TARGETS[name] for name in FEATURES]).T
    drawn = np.random.default_rng(1).choice(len(weights), size=300, p=weights)
    groups = {
        "the box": networks.part(np.flatnonzero(networks.valid[:_BOX])).f,
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


def _pairs(near, options):
    """The six parameters whose spread near the means is least against the box; the nearest are drawn on top."""
    names, support = pyloric.CIRCUIT.parameter_names, pyloric.CIRCUIT.support
    shown = np.sort(np.argsort(near.z.std(axis=0) / support.width)[:6])
    axes = plotting.pairs(near.z, -near.distance, names, support, parameters=[names[i] for i in shown])
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
