"""The table of a result, for people: as text, and as HTML in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from numepi.markup import card, escaped, table

if TYPE_CHECKING:
    from numepi.result import Result

__all__ = ["as_html", "as_text", "bounded", "constraint_rows", "has_entropy"]

_SIGMAS = 3.0  # standard errors by which the entropy lies above a bound


def as_text(result: Result) -> str:
    """A table for people: constraints with targets, achieved values and standard errors, and the entropy."""
    if np.isnan(result.entropy) and result.certificate is None:
        return result.message
    width = max(len(name) for name in result.constraint_names)
    head, *rows = constraint_rows(result)
    lines = [f"{head[0]:<{width}}  {head[1]:>10}  {head[2]:>10}  {head[3]:>10}  {head[4]:>10}  {head[5]}"]
    for name, target, achieved, stderr, tolerance, source in rows:
        lines.append(f"{name:<{width}}  {target:>10}  {achieved:>10}  {stderr:>10}  {tolerance:>10}  {source}")
    lines += [*_bound_lines(result), *_region_lines(result), *_entropy_lines(result)]
    if np.isfinite(result.constraint).all():
        alpha = 0.05 / len(result.p_values)
        lines.append(f"the paper's test: least p = {result.p_values.min():.3f} (accepted above {alpha:.3f})")
    lines.append(result.message)
    return "\n".join(lines)


def as_html(result: Result) -> str:
    """The same as a card with a table."""
    title = f"numepi result: {result.status}"
    if np.isnan(result.entropy) and result.certificate is None:
        return card(title, f"<p>{escaped(result.message)}</p>")
    head, *rows = constraint_rows(result)
    lines = [*_bound_lines(result), *_region_lines(result), *_entropy_lines(result), result.message]
    parts = (f"<p>{escaped(line)}</p>" for line in lines)
    return card(title, table(head, rows, "constraints on fresh draws"), *parts)


def constraint_rows(result: Result) -> list[tuple[str, ...]]:
    """The head of the table of constraints, and its rows, as text."""
    head = ("constraint", "target", "achieved", "std. error", "tolerance", "from")
    columns = (result.constraint_target, result.constraint, result.constraint_stderr, result.constraint_tolerance)
    at_most = {f"variance {name}" for name in bounded(result)}
    rows = zip(result.constraint_names, *columns, result.constraint_tolerance_source)
    return [head] + [
        (
            name,
            f"{'<= ' * (name in at_most)}{target:.4g}",
            *((f"{achieved:.4g}", f"{stderr:.2g}") if np.isfinite(achieved) else ("unknown", "")),
            f"{tolerance:.2g}",
            source,
        )
        for name, target, achieved, stderr, tolerance, source in rows
    ]


def bounded(result: Result) -> list[str]:
    """Statistics whose variance has an upper bound."""
    bounds = result.property.aligned(result.statistic_names).variance_at_most or ()
    return [name for name, bound in zip(result.statistic_names, bounds) if bound is not None]


def _bound_lines(result):
    """Complementary slackness: a bound is met with equality, or its multiplier vanishes; or what was missed of it."""
    excess = result.constraint - result.constraint_target - result.constraint_tolerance
    constraints = {name: row for name, *row in zip(result.constraint_names, result.multipliers, excess)}
    lines = []
    for name in bounded(result):
        eta, above = constraints[f"variance {name}"]
        if above > 0:
            lines.append(f"variance {name}: above its bound (multiplier {eta:.3g})")
        elif eta < 0:
            lines.append(f"variance {name}: at its bound (multiplier {eta:.3g})")
        elif not np.isnan(eta):
            lines.append(f"variance {name}: the bound does not bind (multiplier 0)")
    return lines


def _region_lines(result):
    if result.property.within is None:
        return []
    share = "" if np.isnan(result.outside_share) else f"; {result.outside_share:.2%} of the draws lie outside"
    return [f"region: expected statistics within {result.property.within:g} target s.d. of their means{share}"]


def _entropy_lines(result):
    certificate = "not certified" if result.certificate is None else str(result.certificate)
    if not has_entropy(result):
        reason = "the flow is not invertible" if np.isfinite(result.entropy) else "no draw works"
        return [f"entropy unknown: {reason}", certificate]
    lines = [f"entropy {result.entropy:.3f} +- {result.entropy_stderr:.3f} nats"]
    if result.failing_share > 0:
        low, high = result.failing_interval
        share = f"failing draws {result.failing_share:.2%} (95 % interval {low:.2%} to {high:.2%})"
        lines = [f"{lines[0]} (of the draws that work)", share]
    if result.configuration["prior"] is not None:
        lines.append(f"entropy relative to the prior {-result.relative_entropy:.3f} nats")
    return [*lines, certificate, *_beyond_the_bound(result)]


def _beyond_the_bound(result):
    """Why the entropy may lie above what the certificate calls its bound, where it does."""
    if result.certificate is None or not result.certificate.bounds:
        return []
    error = np.hypot(result.entropy_stderr, result.certificate.entropy_bound_stderr)
    if -result.relative_entropy - result.certificate.entropy_bound <= _SIGMAS * error:
        return []
    return ["(the bound is that of distributions with exactly these targets; this one, which misses them, is above it)"]


def has_entropy(result: Result) -> bool:
    """Whether the entropy is known: draws work, and the flow is invertible."""
    return np.isfinite(result.entropy) and (result.certificate is None or result.certificate.invertible)
