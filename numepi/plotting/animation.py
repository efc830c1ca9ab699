"""An animation of a fit: distribution, entropy and constraints as they change; written as a GIF by Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from numepi.annotations import Seed
from numepi.archive import check_writable
from numepi.arguments import check_count, check_instance, check_number
from numepi.circuits.base import Circuit
from numepi.plotting.checks import pair_of
from numepi.plotting.planes import plane
from numepi.plotting.style import BAND, COLOURS, tidy
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["FitRecorder", "animate_fit"]


class FitRecorder:
    """A callback for `numepi.infer` that keeps samples of the flow, the entropy and the violations as the fit goes on.

    Parameters
    ----------
    every : int
        Steps between frames.
    n_samples : int
        Samples in a frame.
    rng : int
        The same base samples serve every frame, so that points move and do not flicker.

    Attributes
    ----------
    steps, entropy : list of int, list of float
    samples, log_density : list of ndarray (n, D), (n,)
    violation : list of ndarray (m,)
        |E[T] - target| in standard errors of the solver's batch.
    """

    def __init__(self, every: int = 20, n_samples: int = 1000, rng: Seed = 0) -> None:
        check_count("every", every)
        check_count("n_samples", n_samples)
        rng = seed_sequence(rng)
        self.every, self.n_samples, self.rng = every, n_samples, rng
        self.steps: list[int] = []
        self.entropy: list[float] = []
        self.samples: list[np.ndarray] = []
        self.log_density: list[np.ndarray] = []
        self.violation: list[np.ndarray] = []
        self._calls = 0

    def __call__(self, state):
        """Keep a frame when it is due."""
        if self._calls % self.every == 0:
            z, log_density = state.distribution.sample_with_log_prob(self.n_samples, rng=self.rng)
            self.steps.append(self._calls)
            self.samples.append(z)
            self.log_density.append(log_density)
            self.entropy.append(-float(log_density.mean()))
            self.violation.append(np.array(state.violation_in_stderr))
        self._calls += 1


def animate_fit(
    recorder: FitRecorder,
    path: str | Path,
    circuit: Circuit,
    parameters: Sequence[int] = (0, 1),
    target: float | None = None,
    fps: int = 10,
    dpi: int = 80,
) -> Any:
    """Write the frames of a `FitRecorder` as an animated GIF.

    Parameters
    ----------
    recorder : FitRecorder
    path : path
        Ends in .gif.
    circuit : Circuit
        Names and limits of the parameters.
    parameters : (int, int)
        The two to show.
    target : float, optional
        An entropy to draw as a line: the exact one, where it is known.
    fps, dpi : int

    Returns
    -------
    FuncAnimation
    """
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation, PillowWriter

    check_instance("recorder", recorder, FitRecorder, "give the FitRecorder that was the callback of infer")
    check_instance("circuit", circuit, Circuit, "give the circuit of the fit")
    i, j = pair_of(parameters, circuit.parameter_names)
    check_writable(path, "path")
    check_number("fps", fps, above=0)
    check_number("dpi", dpi, above=0)
    if target is not None:
        check_number("target", target)
    if len(recorder.steps) < 2:
        raise ValueError(f"the recorder holds {len(recorder.steps)} frames: an animation needs two")
    if recorder.samples[0].shape[1] != len(circuit.parameter_names):
        raise ValueError(f"circuit has {len(circuit.parameter_names)} parameters: give the circuit of the fit")
    figure = plt.figure(figsize=(8, 3.8), layout="constrained")
    axes = figure.subplot_mosaic("se;sv", width_ratios=(1.1, 1))
    cloud, entropy, violation = axes["s"], tidy(axes["e"]), tidy(axes["v"])
    plane(recorder.samples[-1], recorder.log_density[-1], (i, j), circuit.parameter_names, ax=cloud)
    points = cloud.collections[-1]
    points.set_clim(np.quantile(np.concatenate(recorder.log_density), [0.02, 0.99]))
    cloud.set(xlim=_limits(recorder, circuit, i), ylim=_limits(recorder, circuit, j))
    steps = np.array(recorder.steps)
    (entropy_line,) = entropy.plot([], [], color=COLOURS[0])
    if target is not None:
        entropy.axhline(target, color="0.5", linewidth=0.8, linestyle="--", label="exact")
        entropy.legend(fontsize=8, frameon=False)
    spread = np.ptp(np.append(recorder.entropy, recorder.entropy[0] if target is None else target)) or 1.0
    low = min(recorder.entropy) if target is None else min(*recorder.entropy, target)
    entropy.set(xlim=(0, steps[-1]), ylim=(low - 0.08 * spread, low + 1.08 * spread), ylabel="entropy (nats)")
    entropy.set_xticklabels([])
    worst = np.array([np.max(v) for v in recorder.violation])
    (violation_line,) = violation.plot([], [], color=COLOURS[1])
    violation.axhspan(0, 2, color=BAND, zorder=0)
    violation.set(xlim=(0, steps[-1]), ylim=(0, 1.1 * max(np.nanmax(worst), 2)), xlabel="step")
    violation.set_ylabel("worst constraint (s.e.)")
    title = cloud.set_title("", fontsize=9)

    def draw(frame):
        order = np.argsort(recorder.log_density[frame])
        points.set_offsets(recorder.samples[frame][order][:, [i, j]])
        points.set_array(recorder.log_density[frame][order])
        entropy_line.set_data(steps[: frame + 1], recorder.entropy[: frame + 1])
        violation_line.set_data(steps[: frame + 1], worst[: frame + 1])
        title.set_text(f"step {steps[frame]}")
        return points, entropy_line, violation_line, title

    animation = FuncAnimation(figure, draw, frames=len(steps), interval=1000 / fps)
    animation.save(path, writer=PillowWriter(fps=fps), dpi=dpi)
    plt.close(figure)
    return animation


def _limits(recorder, circuit, index):
    low, high = circuit.support.lower[index], circuit.support.upper[index]
    values = np.concatenate([z[:, index] for z in recorder.samples])
    low = low if np.isfinite(low) else values.min()
    high = high if np.isfinite(high) else values.max()
    return low, high
