"""Figure 1E-F of the paper: conductances of the stomatogastric subcircuit with an intermediate hub frequency.

The mode and its Hessian are those of the paper's own flow, fitted by the dual solver; Algorithm 1 from the centre of
the support (6 epochs of 1,200 iterations; the paper: 5 of 5,000 from the samples of an ABC search) does not arrive.
Beside them: the simulator's own metric, which needs no fit.
"""

import matplotlib as mpl
import numpy as np
from paper import Findings, algorithm_one, exact, read_options

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi import analysis


def main():
    """Fit, find the mode, compare sensitive and robust directions, draw."""
    options = read_options(__doc__)
    table = Findings("Figure 1E-F: stomatogastric subcircuit", options)
    circuit = ne.circuits.STG()
    prop = circuit.emergent_property()
    flow = circuit.paper_settings()["flow"]
    result = exact("stg", circuit, prop, options, flow=flow, final_rounds=6, refine_steps=400)
    q = result.distribution

    plane_map = analysis.stg.frequency_map(circuit, points=20 if options.quick else 60)
    corner = plane_map.frequency[[0, -1]][:, [0, -1]]
    table.add(
        "hub frequency lies between the slow and the fast rhythm", "0.35 to 0.68 Hz",
        f"{corner.min():.2f} to {corner.max():.2f} Hz at the corners",
        plane_map.frequency.min() > 0.33 and plane_map.frequency.max() < 0.75, fitted=False,
    )  # fmt: skip
    mode = analysis.mode(q)
    found = analysis.sensitivity(q, mode.z, sign={"g_synA": 1})
    table.add("mode (g_el, g_synA) in nS", "star of Figure 1E", f"({mode.z[0]:.2f}, {mode.z[1]:.2f})", mode.is_maximum)
    ratio = found.eigenvalues[0] / found.eigenvalues[1]
    table.add(
        "Hessian eigenvalues at the mode", "-10.7, -3.22",
        f"{found.eigenvalues[0]:.2f}, {found.eigenvalues[1]:.2f}", found.eigenvalues[1] < 0,
    )  # fmt: skip
    table.add("their ratio", "3.32", f"{ratio:.2f}", ratio > 1)

    # the same distance both ways along v1 and v2, on the noisy circuit
    deltas = np.linspace(-1, 1, 21) * found.arrow_lengths[1]
    names = {"v1": found.vectors[0], "v2": found.vectors[1]}
    moved = analysis.perturb(circuit, mode.z, names, deltas, trials=50)
    at_mode = moved.along("v1")[0, 10, 0]
    change = {name: np.nanmean(np.abs(moved.along(name)[0, :, 0] - at_mode)) for name in names}
    table.add(
        "frequency preserved along v2 and not along v1: mean change over one arrow of v2", "v1 much greater than v2",
        f"v1 {1000 * change['v1']:.0f} mHz, v2 {1000 * change['v2']:.0f} mHz", change["v1"] > 1.5 * change["v2"],
    )  # fmt: skip
    metric = analysis.simulator_metric(circuit, mode.z, prop, draws=50, sign={"g_synA": 1})
    cosine = float(analysis.alignment(metric.vectors[0], found.v1))
    table.add(
        "v1 against the direction in which the simulator's frequency changes fastest", "-",
        f"cosine {cosine:.2f}; metric eigenvalue {metric.eigenvalues[0]:.1f} per nS^2", cosine > 0.8,
    )  # fmt: skip
    table.add("entropy (nats)", "1.41 (exact)", f"{result.entropy:.2f}", abs(result.entropy - 1.41) < 0.2)
    if not options.quick:
        first = algorithm_one("stg", circuit, prop, options, epochs=6, iterations_per_epoch=1200)
        spread = np.sqrt(first.statistic_variance[0])
        table.add(
            "Algorithm 1: standard deviation of the frequency", "0.025 Hz",
            f"{spread:.3f} Hz, entropy {first.entropy:.2f}", first.success,
            because="from the centre of the support it has not converged after 7,200 iterations",
        )  # fmt: skip

    figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    z = q.sample(1500, rng=1)
    points = ne.plotting.plane(axes[0], z, q.log_prob(z), (0, 1))
    ne.plotting.frequency_contours(axes[0], plane_map)
    ne.plotting.arrows(axes[0], found, directions=(0, 1), labels=("v1", "v2"))
    axes[0].plot(*mode.z, "*", color="white", markeredgecolor="black", markersize=13)
    axes[0].set(xlim=(4, 8), ylim=(0, 4), aspect="equal")
    figure.colorbar(points, ax=axes[0], label="log density (nats)", shrink=0.8, extend="min")
    for name, style in (("v1", "-"), ("v2", "--")):
        axes[1].plot(deltas, moved.along(name)[0, :, 0], style, color="black", label=name)
    ne.plotting.tidy(axes[1]).axhspan(0.525, 0.575, color="0.85", zorder=0)
    axes[1].text(deltas[0], 0.5755, "0.55 Hz ± 1 s.d.", fontsize=8, color="0.4")
    axes[1].set(xlabel="displacement from the mode (nS)", ylabel="hub frequency (Hz)", ylim=(0.48, 0.62))
    axes[1].legend(fontsize=8, frameon=False)
    _traces(axes[2], circuit, mode.z, found, deltas[-1])
    figure.savefig(options.out / "figure1-stg.png", dpi=100)
    table.close()


def _traces(ax, circuit, z, found, distance):
    """Hub potentials at the mode and one arrow of v2 away from it along v1 and v2."""
    points = {"mode": z, "+v1": z + distance * found.vectors[0], "+v2": z + distance * found.vectors[1]}
    paths = circuit.simulate(np.array(list(points.values())), rng=1)
    hub = 1000 * paths.values[:, :, paths.names.index("V_hub (V)")]
    for i, (label, colour) in enumerate(zip(points, ("black", *ne.plotting.COLOURS[1:3]))):
        ax.plot(paths.time, hub[i] - 130 * i, color=colour, linewidth=1)
        ax.text(paths.time[-1] * 1.01, hub[i, -1] - 130 * i, label, color=colour, fontsize=9, va="center")
    ne.plotting.tidy(ax).set(xlabel="time (s)", ylabel="hub potential (mV), offset by 130 mV")


if __name__ == "__main__":
    main()
