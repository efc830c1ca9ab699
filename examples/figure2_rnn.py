"""Figure 2C-D of the paper: rank-2 networks with stable amplification, their eigenvalues and the size of activity.

The dual solver's answers; networks are drawn from the exact solution (``corrected``) where the certificate allows it.
The uniform distribution alone is listed as well: the paper's race (Figure 2A-B) ends when the predicted mean is within
0.5 of the target, and at N = 5 uniform draws are there before anybody starts.
"""

import matplotlib as mpl
import numpy as np
from paper import Findings, exact, read_options

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi import analysis

_UNIFORM = {2: 1.09, 5: 0.38, 10: 0.65, 25: 3.6, 50: 8.2}  # distance of the mean from the target (exact)
_ENTROPY = {2: -1.81, 10: 25.88}


def main():
    """Fit N = 2 (and 10), classify, draw."""
    options = read_options(__doc__)
    table = Findings("Figure 2C-D: stable amplification", options)
    sizes = (2,) if options.quick else (2, 10)
    figure, axes = plt.subplots(2, len(sizes), figsize=(4.4 * len(sizes), 7), layout="constrained", squeeze=False)
    for column, size in zip(axes.T, sizes):
        _size(size, table, options, column)
    figure.savefig(options.out / "figure2-rnn.png", dpi=100)
    generator = np.random.default_rng(options.seed)
    for size, expected in _UNIFORM.items():
        if options.quick and size > 10:
            continue
        circuit = ne.circuits.RankTwoRNN(size)
        f = circuit.statistics(generator.uniform(-1, 1, (4000, 4 * size)), rng=options.seed)
        distance = np.linalg.norm(f.mean(axis=0) - circuit.emergent_property().mean)
        table.add(
            f"N = {size}: uniform draws, distance of the mean from the target",
            "EPI stops below 0.5",
            f"{distance:.2f} (exact {expected})",
            abs(distance - expected) < 0.1 + 0.03 * expected,
            fitted=False,
        )
    table.close()


def _size(size, table, options, column):
    """One network size: statistics, classes, activity."""
    circuit = ne.circuits.RankTwoRNN(size)
    prop = circuit.emergent_property()
    result = exact(f"rnn{size}", circuit, prop, options)
    z = result.sample(2000, rng=1, corrected=not options.quick and result.certificate.reliable)
    f = circuit.statistics(z, rng=2)
    spread = np.sqrt(np.mean((f - prop.mean) ** 2, axis=0))
    table.add(
        f"N = {size}: mean of Re lambda_1 and lambda_1^s", "0.5, 1.5", f"{f[:, 0].mean():.2f}, {f[:, 1].mean():.2f}",
        np.all(np.abs(f.mean(axis=0) - prop.mean) < 0.05),
    )  # fmt: skip
    table.add(
        f"N = {size}: their standard deviations", "0.25, 0.25", f"{spread[0]:.2f}, {spread[1]:.2f}",
        np.all(np.abs(spread - 0.25) < 0.03),
    )  # fmt: skip
    shares = analysis.rnn.class_shares(f)
    table.add(
        f"N = {size}: stable and amplified", "almost all (two standard deviations)",
        ", ".join(f"{name} {share:.1%}" for name, share in shares.items()), shares["stable amplified"] > 0.93,
    )  # fmt: skip
    classes = analysis.rnn.classify(f)
    shown = np.concatenate([np.flatnonzero(classes == kind)[:n] for kind, n in enumerate((30, 6, 4))])
    paths = circuit.simulate(z[shown], rng=2)
    norms = analysis.rnn.norms(paths)
    stable = norms[classes[shown] == 0]
    if len(stable):
        table.add(
            f"N = {size}: activity of stable amplified networks rises above 1, then falls below", "Figure 2D",
            f"peak {stable.max(axis=1).mean():.2f}, at the end {stable[:, -1].mean():.3f}",
            np.all(stable.max(axis=1) > 1) and stable[:, -1].max() < 1,
        )  # fmt: skip
    exact_entropy = _ENTROPY[size]
    table.add(f"N = {size}: entropy (nats)", f"{exact_entropy} (exact)", f"{result.entropy:.2f}")
    table.add(
        f"N = {size}: bound on the entropy", f"{exact_entropy} (exact)", f"{result.certificate.entropy_bound:.2f}"
    )
    ne.plotting.statistic_clouds(column[0], f, prop, ("Re λ₁", "λ₁ˢ"))
    column[0].set_title(f"N = {size}", fontsize=10)
    ne.plotting.norm_curves(column[1], paths.time, norms, classes[shown], analysis.rnn.CLASSES)
    column[1].set_yscale("log")


if __name__ == "__main__":
    main()
