"""A report as one page: everything is within it, so that it can be sent, stored and opened anywhere."""

from numepi.archive import check_writable, replacing
from numepi.arguments import check_array, real_array
from numepi.markup import escaped
from numepi.report import drawings, sections

__all__ = ["measurements", "page", "write_report"]

_DRAWS = 2000

_STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --faint: #6a737d; --line: #d0d7de; --band: #e3e7eb;
  --good: #0072b2; --bad: #b34700; --box: #f3f5f7; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --paper: #16191d; --faint: #9aa4ae; --line: #3a4149;
  --band: #343b43; --good: #56b4e9; --bad: #ff9d5c; --box: #20252b; } }
body { color: var(--ink); background: var(--paper); font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;
  margin: 0 auto; padding: 1rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.2; } h2 { font-size: 1.15rem; margin-top: 2.2rem;
  border-bottom: 1px solid var(--line); }
table { border-collapse: collapse; font-size: 0.9rem; margin: 0.6rem 0; }
caption { text-align: left; color: var(--faint); padding-bottom: 0.3rem; }
th, td { text-align: left; padding: 0.2rem 0.8rem 0.2rem 0; border-bottom: 1px solid var(--line); vertical-align: top;
  font-variant-numeric: tabular-nums; }
img { max-width: 100%; height: auto; } figure { margin: 0.8rem 0; }
figcaption { color: var(--faint); font-size: 0.9rem; }
pre { background: var(--box); padding: 0.8rem; overflow-x: auto; font-size: 0.85rem; }
.verdict { border-left: 4px solid var(--good); background: var(--box); padding: 0.6rem 0.8rem; }
.verdict.missed { border-color: var(--bad); }
svg .band { fill: var(--band); } svg .in { fill: var(--good); } svg .out { fill: var(--bad); }
svg .zero { stroke: var(--ink); }
"""


def write_report(result, path, fresh=None, data=None):
    """Write `page` to ``path``, atomically.

    Raises
    ------
    ValueError
        If the file cannot be written, before anything is drawn; as `page` does.
    """
    check_writable(path, "path")
    text = page(result, fresh, data)
    with replacing(path) as file:
        file.write(text.encode())


def page(result, fresh=None, data=None):
    """The report of a result as HTML.

    Parameters
    ----------
    result : numepi.result.Result
    fresh : (ndarray (n', k), int), optional
        Statistics of fresh simulations that worked, and how many were tried; None where nothing can be simulated.
    data : array (n, k), optional
        Measurements of the statistics, in the circuit's order.
    """
    data = None if data is None else measurements(data, result.statistic_names)
    z = result.distribution.sample(_DRAWS, rng=1)
    prior = drawings.prior_draws(result, _DRAWS)
    f, n_asked = (None, 0) if fresh is None else fresh
    parts = {
        "Verdict": sections.verdict(result),
        "Constraints": sections.constraints(result),
        "Distance to maximum entropy": sections.certificate(result),
        "The distribution": drawings.pairs(result, z),
        "What the property narrowed": drawings.marginals(result, z, prior),
        "Predictive check": drawings.predictive(result, f, n_asked, data),
        "Activity": drawings.activity(result, z),
        "The run": drawings.traces(result),
        "What was asked": sections.asked(result),
        "What to do next": sections.next_steps(result),
        "The code that repeats it": sections.repeat(result),
    }
    title = escaped(f"numepi: {result.configuration['circuit']}, seed {result.configuration['seed'][0]}")
    body = "".join(f"<section><h2>{name}</h2>{content}</section>\n" for name, content in parts.items())
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><main><h1>{title}</h1>\n{body}</main></body></html>\n"
    )


def measurements(data, names):
    """``data`` as an array (n, k) of floats.

    Raises
    ------
    ValueError
        If it has another shape.
    """
    data = real_array("data", data)
    data = data[:, None] if data.ndim == 1 and len(names) == 1 else data
    return check_array("data", data, ("n", len(names)), finite=False)
