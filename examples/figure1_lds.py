"""
Figure 1: linear systems that oscillate
=======================================

Figure 1 of the paper, supplements 1-3: two-dimensional linear systems that oscillate near 1 Hz.

The dual solver's answer against the analytic contours, sampled trajectories, and an animation of the fit.
"""

# sphinx_gallery_thumbnail_path = "docs/findings/figure1-lds-contours.png"
import matplotlib as mpl
import numpy as np
from paper import Findings, exact, read_options

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi.analysis import lds

_ENTROPY = 7.040  # nats, by quadrature


def main():
    """Infer, compare with the analytic contours, draw."""
    options = read_options(__doc__)
    table = Findings("Figure 1: linear system", options)
    circuit = ne.circuits.LDS()
    prop = circuit.emergent_property()
    recorder = ne.plotting.FitRecorder(every=1 if options.quick else 2, n_samples=600)
    result = exact("lds", circuit, prop, options, callback=recorder)
    z = result.sample(4000, rng=1)
    f = circuit.statistics(z)
    spread = np.sqrt(np.mean((f - prop.mean) ** 2, axis=0))
    table.add(
        "growth rate (1/s)", "0 ± 0.25", f"{f[:, 0].mean():.3f} ± {spread[0]:.3f}",
        abs(f[:, 0].mean()) < 0.03 and abs(spread[0] - 0.25) < 0.02,
    )  # fmt: skip
    table.add(
        "angular frequency (rad/s)", "6.28 ± 0.63", f"{f[:, 1].mean():.3f} ± {spread[1]:.3f}",
        abs(f[:, 1].mean() - 2 * np.pi) < 0.08 and abs(spread[1] - np.pi / 5) < 0.05,
    )  # fmt: skip
    half_trace = np.corrcoef(f[:, 0], (z[:, 0] + z[:, 3]) / 2)[0, 1]
    table.add("growth is (a11 + a22) / 2: correlation", "1 while oscillating", f"{half_trace:.4f}", half_trace > 0.99)
    share = lds.share_within(f, prop)
    table.add("samples within two standard deviations of both", "most", f"{share:.1%}", share > 0.85)
    table.add("oscillating (a12 a21 < 0)", "all", f"{np.mean(z[:, 1] * z[:, 2] < 0):.1%}", np.mean(f[:, 1] > 0) > 0.99)
    half = lds.rotation_share(z)
    table.add(
        "both senses of rotation: share of a12 > 0", "bimodal; 0.5 (exact)", f"{half:.3f}", abs(half - 0.5) < 0.05
    )
    table.add("entropy (nats)", f"{_ENTROPY} (exact)", f"{result.entropy:.3f}", abs(result.entropy - _ENTROPY) < 0.2)

    log_density = result.distribution.log_prob(z)
    pairs = ne.plotting.pairs(z, log_density, circuit.parameter_names, circuit.support)[0, 0].figure
    pairs.suptitle("1-S1B: samples, coloured by density", x=0.65)
    panels = ne.plotting.lds_contours(z, log_density, circuit, prop)
    for ax, letter in zip(panels, "AB"):
        ax.set_title(f"1-S2{letter}: {ax.get_title()}", fontsize=10)
    contours = panels[0].figure
    paths, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True, layout="constrained")
    for ax, (sign, title) in zip(axes, ((1, "a12 > 0"), (-1, "a12 < 0"))):
        chosen = z[sign * z[:, 1] > 0][:15]
        simulated = circuit.simulate(chosen)
        ne.plotting.tidy(ax).plot(simulated.time, simulated.values[:, :, 0].T, color=ne.plotting.COLOURS[0], lw=0.8)
        ax.set(xlabel="time (s)", title=f"1-S3: {title}")
    axes[0].set_ylabel("activity x₁")
    for name, figure in (("pairs", pairs), ("contours", contours), ("trajectories", paths)):
        figure.savefig(options.out / f"figure1-lds-{name}.png", dpi=80)
    if len(recorder.steps) > 1:  # a fit that was loaded leaves none
        gif = options.out / "figure1-lds-fit.gif"
        ne.plotting.animate_fit(recorder, gif, circuit, (1, 2), target=_ENTROPY, dpi=60)
    for alt, name in (
        ("1-S1B: samples in all pairs of parameters", "pairs.png"),
        ("1-S2A, B: samples, coloured as in 1-S1B, over the contours of growth rate and frequency", "contours.png"),
        ("1-S3: activity of systems of both modes over two seconds", "trajectories.png"),
        ("The fit as an animation: samples, entropy and worst constraint", "fit.gif"),
    ):
        table.note()
        table.note(f"![{alt}](figure1-lds-{name})")
    table.close()


if __name__ == "__main__":
    main()
