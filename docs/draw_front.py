"""Draw docs/figures/front.png, the picture of the front page, from what its lines find: python -m docs.draw_front."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import numepi as ne
from docs import pages

PAGE = Path(__file__).with_name("index.md")


def main():
    """Run the page's lines, and draw the answer and the activity of three of its membranes."""
    names = {"__name__": "__main__"}
    exec(pages.blocks(PAGE)[0].code, names)
    neuron, result = names["neuron"], names["result"]
    z = result.sample(2000, rng=1)
    log_density = result.distribution.log_prob(z)
    shown = z[np.argsort(z[:, 0])[[100, 1000, 1900]]]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=(1, 1.6), layout="constrained")
    ne.plotting.plane(z, log_density, names=neuron.parameter_names, size=6, ax=left)
    figure.colorbar(left.collections[-1], ax=left, shrink=0.8, extend="min").set_label("log density (nats)")
    paths = neuron.simulate(shown)
    potential = paths.values.reshape(len(shown), len(paths.time), -1)[..., 0]
    for k, row in enumerate(shown):
        colour = ne.plotting.COLOURS[1:][k]
        left.plot(*row, "o", color=colour, markersize=9, markeredgecolor="white")
        label = ", ".join(f"{name} = {value:.2g}" for name, value in zip(neuron.parameter_names, row))
        right.plot(paths.time, potential[k] + 5 * k, color=colour)
        right.text(paths.time[-1], 5 * k + 2.3, label, ha="right", fontsize=8)
    ne.plotting.tidy(right).set(
        xlabel="time", yticks=[], title="three membranes of the answer: v, each with a period near 40"
    )
    left.set_title("all (I, eps) with a period of 40 ± 2", fontsize=10)
    right.title.set_fontsize(10)
    figure.savefig(PAGE.parent / "figures" / "front.png", dpi=110)


if __name__ == "__main__":
    main()
