"""Tables and figures of the race, written into the docs."""

from pathlib import Path

import numpy as np

__all__ = ["first", "sections", "times", "title", "write"]

_LABELS = {
    "prior": "uniform prior",
    "rejection": "brute force: rejection",
    "reweighting": "brute force: reweighting",
    "dual": "numepi, dual",
    "augmented_lagrangian": "numepi, Algorithm 1",
    "particles": "numepi, particles",
    "npe": "sbi, NPE-C",
    "npe_with_noise": "sbi, NPE-C, noise σ",
    "smc_abc": "pyABC, SMC-ABC",
}
_BEGIN, _END = "<!-- tables -->", "<!-- end of tables -->"
_TITLES = {"lds": "Linear system (D = 4)", "sc": "Superior colliculus (D = 4)"}
_LEAST_DRAWS = 50  # effective ones that make a reference of a reweighting


def write(records, docs):
    """Replace the sections of these runs' problems in ``docs/peers.md``, and draw ``peers.png`` from the page's tables.

    Sections of other problems stay as they are.  ``peers-predictions.png`` needs the runs themselves: it is drawn only
    with runs of every rank-2 network of the page.
    """
    from benchmarks.peers.figures import predictions, race

    records = sorted(records, key=lambda r: (_order(r["problem"]), list(_LABELS).index(r["method"]), r["seed"]))
    path = Path(docs) / "peers.md"
    text = path.read_text()
    begin, end = text.index(_BEGIN) + len(_BEGIN), text.index(_END)
    stored = sections(text[begin:end])
    for problem in dict.fromkeys(r["problem"] for r in records):
        rows = [r for r in records if r["problem"] == problem]
        tables = f"{_race_table(rows)}\n\n{_answer_table(rows, _reference(rows))}"
        stored[problem] = f"### {title(problem)}\n\n{_machine(rows)}\n\n{tables}\n"
    parts = [stored[problem] for problem in sorted(stored, key=_order)]
    path.write_text(f"{text[:begin]}\n{chr(10).join(parts)}{text[end:]}")
    networks = {problem for problem in stored if problem.startswith("rnn")}
    race(
        {int(n[3:]): times(stored[n]) for n in sorted(networks, key=_order)}, _LABELS, Path(docs) / "figures/peers.png"
    )
    records = [r for r in records if r["problem"] in networks]
    if networks == {r["problem"] for r in records}:
        predictions(records, _LABELS, Path(docs) / "figures/peers-predictions.png")


def sections(text):
    """The page's sections by their problems' names."""
    parts = [f"### {part.strip()}\n" for part in text.split("### ")[1:]]
    return {_name(part[4 : part.index("\n")]): part for part in parts}


def times(section):
    """CPU seconds and simulations of each run that met a criterion, by method and criterion, from a section's table."""
    found = {method: {"paper": [], "fair": []} for method in _LABELS}
    methods = {label: method for method, label in _LABELS.items()}
    for line in section[section.index("| method |") :].split("\n\n")[0].splitlines()[2:]:
        label, *cells = (cell.strip() for cell in line.strip("|").split("|")[:5])
        for criterion, clock, simulations in (("paper", *cells[:2]), ("fair", *cells[2:])):
            if clock != "never":
                found[methods[label]][criterion].append((float(clock.split()[0]), int(simulations.replace(",", ""))))
    return found


def first(record, criterion):
    """The first look at which a criterion ("paper" or "fair") was met, or None."""
    if record["method"] == "prior" and record["final"][criterion]:
        return {"seconds": 0.0, "cpu": 0.0, "simulations": 0}
    return next((row for row in record["trace"] if row[criterion]), None)


def title(problem):
    """A problem's heading: N and D of a rank-2 network."""
    return _TITLES.get(problem) or f"N = {problem[3:]} (D = {4 * int(problem[3:])})"


def _name(heading):
    names = {known: name for name, known in _TITLES.items()}
    return names.get(heading) or "rnn" + heading.split()[2]


def _order(problem):
    return (0, int(problem[3:])) if problem.startswith("rnn") else (1, list(_TITLES).index(problem))


def _machine(records):
    loads = [load for r in records for load in r["load"]]
    limits = sorted({r["limit"] for r in records})
    return (
        f"{' or '.join(dict.fromkeys(r['made'] for r in records))}; seeds "
        f"{sorted({r['seed'] for r in records})}; at most {' or '.join(f'{x:g}' for x in limits)} CPU seconds a run; "
        f"system load during the runs {min(loads):.1f} to {max(loads):.1f}."
    )


def _race_table(rows):
    out = [
        "| method | paper's criterion: CPU s (wall s) | simulations | fair one: CPU s (wall s) | simulations | end |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        cells = [_LABELS[r["method"]]]
        for criterion in ("paper", "fair"):
            row = first(r, criterion)
            if row is None:
                cells += ["never", "–"]
            else:
                cells += [f"{_digits(row['cpu'])} ({_digits(row['seconds'])})", f"{row['simulations']:,}"]
        made = f"{r['simulations']:,} simulations, " if r["simulations"] else ""
        spent = f"{made}{_digits(r['cpu'])} CPU s in all" if r["method"] != "prior" else ""
        cells.append("; ".join(filter(None, [r["status"], spent])))
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def _digits(seconds):
    return f"{seconds:.2g}" if seconds < 99.5 else f"{seconds:.0f}"


def _answer_table(rows, reference):
    amplified = rows[0]["problem"].startswith("rnn")
    head = ["method", "mean", "variance / target", *(["stable amplified"] if amplified else []), "entropy (nats)"]
    head.append("KL to maximum entropy (nats)")
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for r in rows:
        final = r.get("final")
        if final is None:
            out.append(f"| {_LABELS[r['method']]} |" + " – |" * (len(head) - 1))
            continue
        target = _targets(r["problem"])
        cells = [_LABELS[r["method"]], ", ".join(f"{m:.2f}" for m in final["mean"])]
        cells.append(", ".join(f"{v / t:.2g}" for v, t in zip(final["variance"], target.prop.variance)))
        if amplified:
            cells.append(f"{final['amplified']:.0%}")
        cells.append("{:.2f}".format(r["entropy"][0]) if "entropy" in r else "–")
        cells.append(_divergence(r, reference, target))
        out.append("| " + " | ".join(cells) + " |")
    if reference is not None:
        out.append(f"\nExact maximum entropy: {reference[0]:.2f} ± {reference[1]:.2f} nats ({reference[3]}).")
    return "\n".join(out)


def _targets(problem):
    from benchmarks.peers.problems import problem as problem_of

    return problem_of(problem)


def _reference(rows):
    """Entropy, standard error and multipliers of the exact solution: by brute force, else by a reliable certificate."""
    for r in rows:
        if r["method"] == "reweighting" and r["ess"] and r["ess"] > _LEAST_DRAWS:
            return r["bound"][0], r["bound"][1], np.array(r["bound"][2:]), "reweighted uniform draws"
    for r in rows:
        if r["certificate"] and r["certificate"][2]:
            return r["bound"][0], r["bound"][1], np.array(r["bound"][2:]), f"certificate of {_LABELS[r['method']]}"
    return None


def _divergence(record, reference, problem):
    """KL(q || p*) = H* - H(q) - eta* . (E_q[T] - mu), for any q with a density in the support of p*, else infinite."""
    if record["method"] == "reweighting":
        return "0 by construction" if record["ess"] and record["ess"] > _LEAST_DRAWS else "–"
    if reference is None or "entropy" not in record:
        return "–"
    within = problem.prop.within
    if within is not None and (np.abs(np.array(record["f"]) - problem.mu) > within * problem.sigma).any():
        return "∞"
    final, eta = record["final"], reference[2]
    gap = np.concatenate([np.array(final["mean"]) - problem.mu, np.array(final["variance"]) - problem.sigma**2])
    return f"{reference[0] - record['entropy'][0] - eta @ gap:.2f}"
