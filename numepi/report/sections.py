"""The sections of a report that are words and tables."""

import importlib.metadata
import platform

import numpy as np

from numepi.markup import Markup, definitions, escaped, table
from numepi.report.code import code, settings_given
from numepi.result_table import bounded, constraint_rows

__all__ = ["asked", "certificate", "constraints", "next_steps", "repeat", "verdict"]

_WIDEST = 3.0  # tolerances: where a bar ends


def verdict(result):
    """What came out, in words."""
    status = "The constraints are met." if result.success else "The constraints are not met."
    entropy = (
        "The entropy is unknown."
        if np.isnan(result.entropy)
        else f"The entropy is {result.entropy:.3f} ± {result.entropy_stderr:.3f} nats."
    )
    failing = ""
    if result.failing_share > 0:
        low, high = result.failing_interval
        failing = f" Of the draws {result.failing_share:.2%} fail (95 % interval {low:.2%} to {high:.2%})."
    kind = "met" if result.success else "missed"
    return (
        f'<p class="verdict {kind}"><strong>{status}</strong> Status: {escaped(result.status)}. {entropy}{failing}</p>'
        f"<p>{escaped(result.message)}</p>"
    )


def asked(result):
    """What was asked for, and of what."""
    configuration = result.configuration
    support = result.distribution.flow.support
    circuit = configuration["circuit_class"]["name"].rpartition(":")[2]
    settings = ", ".join(f"{k} = {v}" for k, v in configuration["circuit_settings"].items())
    seed, spawned = configuration["seed"]
    given = ", ".join(f"{k} = {v}" for k, v in settings_given(configuration).items()) or "defaults"
    packages = ("numepi", "numpy", "numba", "scipy", "autograd", "matplotlib")
    versions = ", ".join(f"{p} {_version(p)}" for p in packages)
    pairs = [
        ("circuit", f"{circuit}({settings})"),
        ("statistics", ", ".join(result.statistic_names)),
        ("seed", f"{seed}" + (f", spawned {tuple(spawned)}" if spawned else "")),
        ("solver", f"{configuration['solver']}; settings: {given}"),
        ("flow", configuration["flow"].get("family", configuration["flow"].get("name", "your own"))),
        ("prior", configuration["prior"] or "uniform on the support"),
        ("precision, device", f"{configuration['precision']}, {configuration['device']}"),
        ("simulations", f"{result.n_simulations:,} for the fit, of which {result.n_failed:,} failed"),
        ("all simulations", ", ".join(f"{count:,} for {what}" for what, count in result.simulation_counts.items())),
        ("time", f"{result.elapsed:.1f} s of fitting"),
        ("this page was written with", f"Python {platform.python_version()}, {versions}"),
    ]
    bounds = zip(result.parameter_names, support.lower, support.upper)
    rows = [(name, f"{low:.6g}", f"{high:.6g}") for name, low, high in bounds]
    more = f"<p>{escaped(f'and {len(rows) - 50} more')}</p>" if len(rows) > 50 else ""
    return definitions(pairs) + table(("parameter", "from", "to"), rows[:50], "Parameters and their bounds") + more


def constraints(result):
    """Each constraint: target, achieved, and a bar of how far it is off in tolerances."""
    head, *texts = constraint_rows(result)
    at_most = {f"variance {name}" for name in bounded(result)}
    off = (result.constraint - result.constraint_target) / result.constraint_tolerance
    rows = []
    for cells, far in zip(texts, off):
        if cells[0] in at_most and far < 0:
            far = 0.0  # below its bound
        rows.append((*cells, Markup(_bar(far))))
    return table(
        (*head, "off, in tolerances"), rows, "Constraints, on fresh draws; the band of the bar is the tolerance"
    )


def _bar(off):
    """How far a constraint is from its target, in tolerances, as a picture that a screen reader reads out."""
    if not np.isfinite(off):
        return "not known"
    x = 60 + 60 * float(np.clip(off, -_WIDEST, _WIDEST)) / _WIDEST
    side = "above" if off > 0 else "below"
    half = 60 / _WIDEST
    kind = "in" if abs(off) <= 1 else "out"
    return (
        f'<svg role="img" aria-label="{abs(off):.2f} tolerances {side} the target" viewBox="0 0 120 14" width="120" '
        f'height="14"><rect class="band" x="{60 - half}" y="0" width="{2 * half}" height="14"/>'
        f'<rect class="{kind}" x="{min(x, 60):.1f}" y="4" width="{abs(x - 60):.1f}" height="6"/>'
        f'<line class="zero" x1="60" y1="0" x2="60" y2="14"/></svg> {off:+.2f}'
    )


def certificate(result):
    """How far the answer is from maximum entropy, and how far that can be believed."""
    found = result.certificate
    if found is None:
        return "<p>There is none: <code>result = result.certify()</code> makes one, with fresh simulations.</p>"
    trust = (
        "Its tests passed."
        if found.reliable
        else "It cannot be trusted: " + "; ".join(found.failures + found.doubts) + "."
    )
    what = "entropy relative to the prior" if found.with_prior else "entropy"
    numbers = [
        ("KL to the exact solution", f"{found.kl:.3f} ± {found.kl_stderr:.3f} nats: zero is a perfect answer"),
        (
            f"bound of the {what}",
            f"{found.entropy_bound:.3f} ± {found.entropy_bound_stderr:.3f} nats: none with the property has more",
        ),
        ("found by", f"{found.method}: see numepi.inference.assessment.certificate.Certificate"),
        ("effective samples", f"{found.ess:,.0f} of {found.n:,}: how many count under the exact solution"),
        (
            "same KL from the scored draws",
            "not known: the run ended before draws were scored"
            if np.isnan(found.score_kl)
            else f"{found.score_kl:.3f} ± {found.score_kl_stderr:.3f} nats: other draws, which must agree",
        ),
        (
            "simulations of each sample",
            f"{'1 or 2' if found.method == 'rows' else found.replicates}; "
            f"noise left after correction {found.noise_bias:.3f} nats",
        ),
    ]
    if found.method != "particles":
        tail = f"{found.pareto_k:.2f}: above 0.7 the weights have too heavy a tail, unless most samples count"
        numbers.append(("Pareto k", tail))
    return f"<p>{escaped(found)}.</p><p>{escaped(trust)}</p>{definitions(numbers)}"


def next_steps(result):
    """What to do with the answer, or about it."""
    steps = []
    if not result.success:
        steps.append(
            "The constraints are not met: the message above says what to change; until then draws lack the property."
        )
    if result.certificate is None:
        steps.append("Certify it: result.certify().")
    elif not result.certificate.reliable:
        steps.append(
            "The distance to the exact solution is not known well: more rounds, or n_seeds, then compare entropies."
        )
    elif result.certificate.kl > 0.1:
        steps.append(
            f"Draws of the exact solution, {result.certificate.kl:.2f} nats away: result.sample(1000, corrected=True)."
        )
    if result.failing_share > 0.01 or result.outside_share > 0.01:
        steps.append("Draws that work only: result.sample(1000, valid_only=True).")
    steps += [
        "Draw and evaluate: z = result.sample(1000); result.distribution.log_prob(z).",
        "Which combinations of parameters matter: result.distribution.hessian(z), and numepi.analysis.",
        "Keep it: result.save('name.npz'), ne.load('name.npz').",
    ]
    return "<ul>" + "".join(f"<li>{escaped(step)}</li>" for step in steps) + "</ul>"


def repeat(result):
    """The code that makes the run again."""
    return f"<pre><code>{escaped(code(result))}</code></pre>"


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a copy on the path that is not installed
        return "(not installed)"
