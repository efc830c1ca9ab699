"""The figures of a report: each a picture and a caption, or one line that says why there is none."""

import numpy as np

from numepi.circuits import Circuit
from numepi.markup import escaped
from numepi.plotting import activity as draw_activity
from numepi.plotting import marginals as draw_marginals
from numepi.plotting import pairs as draw_pairs
from numepi.plotting import predictive_check, strongest_pairs
from numepi.plotting import traces as draw_traces
from numepi.report.figures import picture

__all__ = ["activity", "marginals", "pairs", "predictive", "prior_draws", "traces"]

_SHOWN = 6  # parameters in all pairs: more are unreadable on a page,
_PAIRS = 9  # and so many are drawn
_MOST = 12  # marginals and statistics
_ACTIVE = 6  # samples whose activity is drawn


def pairs(result, z):
    """Draws in pairs of parameters, coloured by density, with the densest marked; of many the pairs that tell most."""
    names, support = result.parameter_names, result.distribution.flow.support
    log_density = result.distribution.log_prob(z)
    best = z[[np.nanargmax(log_density)]]
    said = "coloured by log density. The star is the densest of them"
    if len(names) > _SHOWN:

        def draw(figure):
            strongest_pairs(z, log_density, names, _PAIRS, points=best, ax=figure.add_subplot())

        alt = f"{len(z):,} draws in the {_PAIRS} pairs of {len(names)} parameters with the strongest rank correlation"
        caption = f"{len(z):,} draws in the {_PAIRS} pairs of the greatest rank correlation (above each), {said}."
        return _figure(picture(draw, alt, (8, 7)), caption)
    d = len(names)
    where = ", ".join(f"{name} = {value:.3g}" for name, value in zip(names, best[0]))

    def draw(figure):
        draw_pairs(z, log_density, names, support, points=best, ax=figure.add_subplot())

    alt = f"{len(z):,} draws of {', '.join(names)} in pairs, coloured by log density; the densest is at {where}"
    caption = f"{len(z):,} draws, {said}: {where}."
    return _figure(picture(draw, alt, (1.6 * d + 1.2, max(1.6 * d, 2.4))), caption)


def traces(result):
    """How the run went."""
    if not len(result.history.get("entropy", ())):
        return _nothing("the run ended before its first step: there are no traces")
    n_panels = 2 + sum(name in result.history for name in ("ess", "epoch_multipliers", "epoch_penalty"))
    alt = (
        f"Traces of the run over {len(result.history['entropy']):,} iterations: entropy, and the distance of each "
        "constraint from its target"
    )
    caption = (
        "Entropy and constraints while the solver ran; constraints in units of their natural scale, the band is ±0.1."
    )
    drawn = picture(lambda figure: draw_traces(result, figure.add_subplot()), alt, (8, 1.9 * n_panels))
    return _figure(drawn, caption)


def marginals(result, z, prior):
    """Each parameter, beside its prior where that can be sampled."""
    names, n = result.parameter_names, min(len(result.parameter_names), _MOST)
    spread = z.std(axis=0)
    if prior is None:
        said = "; ".join(f"{name} {m:.3g} ± {s:.2g}" for name, m, s in zip(names[:n], z.mean(axis=0), spread))
    else:
        share = spread / prior.std(axis=0)
        said = "; ".join(f"{name} {s:.0%}" for name, s in zip(names[:n], share))
    caption = (
        f"Mean and standard deviation: {said}. The prior has no draws to compare with."
        if prior is None
        else f"Inferred (line) and prior (grey). Standard deviation as a share of the prior's: {said}."
    )
    drawn = picture(
        lambda figure: draw_marginals(z, prior, names, ax=figure.add_subplot()),
        f"Histograms of each parameter. {caption}",
        _size(n),
    )
    return _figure(drawn, caption)


def predictive(result, f, n_asked, data):
    """Statistics of fresh simulations against their targets."""
    if f is None:
        return _nothing("the result was loaded without its circuit: ne.load(path, circuit=...) simulates again")
    if not len(f):
        return _nothing(f"none of {n_asked:,} fresh simulations works")
    names, n = result.statistic_names, min(len(result.statistic_names), _MOST)
    means = "; ".join(f"{name} {m:.4g} ± {s:.2g}" for name, m, s in zip(names[:n], f.mean(axis=0), f.std(axis=0)))
    beside = "" if data is None else f" {len(data):,} measurements in grey."
    failed = "" if len(f) == n_asked else f" {n_asked - len(f):,} of {n_asked:,} failed, or lie outside of the support."
    caption = f"{len(f):,} fresh simulations against their targets.{beside}{failed} Mean ± standard deviation: {means}."

    def draw(figure):
        predictive_check(f, result.property, names, data, ax=figure.add_subplot())

    return _figure(picture(draw, f"Histograms of each statistic. {caption}", _size(n)), caption)


def activity(result, z):
    """Trajectories at a few draws, where the circuit has any."""
    if result.circuit is None:
        return _nothing("the result was loaded without its circuit")
    kind = type(result.circuit)
    if kind._simulate is Circuit._simulate and kind.simulate is Circuit.simulate:  # Dynamics has the latter
        return _nothing("the circuit has statistics only, no trajectories")
    names = result.parameter_names
    shown = z[:_ACTIVE]
    try:
        paths = result.circuit.simulate(shown, rng=1)
        titles = [
            ", ".join(f"{name} = {value:.3g}" for name, value in zip(names[:4], row)) + ", ..." * (len(names) > 4)
            for row in shown
        ]
        tasks = paths.values.shape[1] if paths.values.ndim == 5 else 1
        alt = f"Activity ({', '.join(paths.names)}) over time at {len(shown)} draws, one row each"
        drawn = picture(
            lambda figure: draw_activity(paths, titles, figure.add_subplot()),
            alt,
            (3.6 * tasks + 3.4, 1.8 * len(shown)),
        )
    except Exception as error:  # a user's simulator at a draw where it does not work: the rest of the page stays
        return _nothing(f"simulating the draws failed ({type(error).__name__}: {' '.join(str(error).split())})")
    return _figure(drawn, f"Simulated activity at {len(shown)} draws, with their parameters above.")


def prior_draws(result, n):
    """Draws (n, D) of the prior, or None where it has none: a density alone, or uniform on an open support."""
    if result.configuration["prior"] is not None:
        return result.prior.sample(n, rng=1) if hasattr(result.prior, "sample") else None
    support = result.distribution.flow.support
    return support.sample(n, rng=1) if support.is_box else None


def _size(n):
    """Inches of `numepi.plotting.marginals.grid` with ``n`` panels."""
    return 2.6 * min(n, 3) + 0.6, 1.9 * -(-n // 3) + 0.3


def _figure(drawn, caption):
    return f"<figure>{drawn}<figcaption>{escaped(caption)}</figcaption></figure>"


def _nothing(reason):
    return f"<p>Not shown: {escaped(reason)}.</p>"
