"""Command line: ``python -m numepi run lds``, ``run mymodel.py:neuron --property mean=40``, ``list``, ``info``."""

import argparse
import importlib
import importlib.util
import os
import platform
import sys
from pathlib import Path

from numepi.archive import check_writable

CIRCUITS = {"lds": "LDS", "stg": "STG", "rnn": "RankTwoRNN", "v1": "V1", "sc": "SC"}
QUICK = {
    "dual": {
        "max_simulations": 1000,
        "surrogate_first_steps": 300,
        "surrogate_steps": 150,
        "fit_steps": 100,
        "landing_steps": 100,
    },
    "particles": {"particles": 100, "most_moves": 2, "settle": 4, "learn_steps": 100},
    "augmented-lagrangian": {
        "epochs": 2,
        "iterations_per_epoch": 50,
        "batch_size": 100,
        "test_batch_size": 100,
        "n_tests": 20,
        "initial": "uniform",
    },
}


def main(arguments=None):
    """Run the command line; returns the exit code (0 also for a run that honestly reports no convergence)."""
    parser = argparse.ArgumentParser(prog="numepi", description="Emergent property inference in NumPy and Numba.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="infer the parameters of a circuit for the paper's emergent property")
    run.add_argument("circuit", help=f"one of {', '.join(CIRCUITS)}; or your own: file.py:name or package.module:name")
    run.add_argument(
        "--property", nargs="+", metavar="MOMENT=VALUES", default=None,
        help="of your own circuit: mean=40,0.5 variance=4,none, one value for each statistic (none: free)",
    )  # fmt: skip
    run.add_argument("--seed", type=int, default=0, help="names every random number of the run (default 0)")
    run.add_argument("--solver", choices=["auto", *QUICK], default="auto")
    run.add_argument("--out", type=Path, default=Path("out"), help="directory for the result and figures (default out)")
    run.add_argument("--quick", action="store_true", help="a short run that shows the machinery, not the answer")
    run.add_argument("--report", action="store_true", help="write a page beside them: verdict, figures, code to repeat")
    commands.add_parser("list", help="list the circuits with their parameters and statistics")
    commands.add_parser("info", help="versions, threads, threading layer and compile cache, for bug reports")
    options = parser.parse_args(arguments)
    try:
        return {"run": _run, "list": _list, "info": _info}[options.command](options)
    except ValueError as error:
        print(f"numepi: {error}", file=sys.stderr)
        return 2


def _run(options):
    import matplotlib

    matplotlib.use("Agg")
    import numepi as ne

    circuit, prop, name = _circuit_and_property(options)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--out {options.out}: the directory cannot be made ({error}); name another") from error
    target = options.out / f"{name}.npz"
    check_writable(target, "--out")
    settings = QUICK["dual" if options.solver == "auto" else options.solver] if options.quick else {}
    result = ne.infer(circuit, prop, rng=options.seed, solver=options.solver, **settings)
    solver = result.configuration["solver"]
    print(f"{circuit!r}, seed {options.seed}, solver {solver}{', quick' if options.quick else ''}")
    print(result.summary())
    result.save(target)
    files = [target, *_figures(circuit, prop, result, options.out / name)]
    if options.report:
        files.append(options.out / f"{name}-report.html")
        result.report(files[-1])
    print("wrote " + ", ".join(map(str, files)))
    return 0


def _circuit_and_property(options):
    """The circuit asked for, its emergent property, and a name for files."""
    import numepi as ne

    if options.circuit in CIRCUITS:
        if options.property is not None:
            raise ValueError(f"--property is for your own circuits: {options.circuit} has the paper's")
        circuit = getattr(ne.circuits, CIRCUITS[options.circuit])()
        return circuit, circuit.emergent_property(), options.circuit
    source, _, attribute = options.circuit.rpartition(":")
    if not source:
        raise ValueError(
            f"there is no circuit {options.circuit!r}: choose from {', '.join(CIRCUITS)}, or give file.py:name"
        )
    circuit = _load(source, attribute)
    if options.property is None:
        if not hasattr(circuit, "emergent_property"):
            names = ", ".join(circuit.statistic_names)
            raise ValueError(f"{attribute} needs --property mean=... variance=..., one value for each of {names}")
        return circuit, circuit.emergent_property(), attribute
    moments = {}
    for text in options.property:
        moment, equals, values = text.partition("=")
        if moment not in ("mean", "variance") or not equals:
            raise ValueError(f"--property {text}: write mean=1.5,2 or variance=0.1,none")
        try:
            moments[moment] = [None if v.strip().lower() == "none" else float(v) for v in values.split(",")]
        except ValueError:
            raise ValueError(f"--property {text}: give numbers, or none for a moment that is left free") from None
        if len(moments[moment]) != len(circuit.statistic_names):
            names = ", ".join(circuit.statistic_names)
            raise ValueError(f"--property {text} has {len(moments[moment])} values: give one for each of {names}")
    return circuit, ne.EmergentProperty(**moments), attribute


def _load(source, attribute):
    """The circuit called ``attribute`` in a file or an importable module."""
    from numepi.circuits import Circuit

    if source.endswith(".py"):
        path = Path(source)
        if not path.is_file():
            raise ValueError(f"there is no file {source}")
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
    else:
        try:
            module = importlib.import_module(source)
        except ModuleNotFoundError as error:
            raise ValueError(f"{source} cannot be imported ({error}): name a file, as in model.py:name") from error
    circuit = getattr(module, attribute, None)
    if not isinstance(circuit, Circuit):
        found = [name for name, value in vars(module).items() if isinstance(value, Circuit)]
        raise ValueError(f"{source} has no circuit {attribute!r}: it has {', '.join(found) or 'none'}")
    return circuit


def _figures(circuit, prop, result, stem):
    import matplotlib.pyplot as plt
    import numpy as np

    import numepi as ne

    z = result.sample(2000, rng=1)
    log_density = result.distribution.log_prob(z)
    densest = z[np.argmax(log_density)]
    shown = circuit.parameter_names[:6]
    drawn = {
        "pairs": ne.plotting.pairs(
            z, log_density, circuit.parameter_names, circuit.support, points=densest, parameters=shown
        ),
        "traces": ne.plotting.traces(result),
    }
    if type(circuit)._simulate is not ne.circuits.Circuit._simulate or isinstance(circuit, ne.Dynamics):
        drawn["activity"] = ne.plotting.activity(circuit.simulate(z[:3], rng=1))
    if isinstance(circuit, ne.circuits.LDS):
        drawn["contours"] = ne.plotting.lds_contours(z, log_density, circuit, prop)
    paths = []
    for name, axes in drawn.items():
        figure = axes.flat[0].figure
        paths.append(Path(f"{stem}-{name}.png"))
        figure.savefig(paths[-1], dpi=110)
        plt.close(figure)
    return paths


def _list(options):
    import numepi as ne

    for name, attribute in CIRCUITS.items():
        circuit = getattr(ne.circuits, attribute)()
        parameters = circuit.parameter_names
        shown = ", ".join(parameters[:4]) + (f", ... ({len(parameters)} in all)" if len(parameters) > 4 else "")
        first_line = type(circuit).__doc__.splitlines()[0]
        print(f"{name:4} {first_line}\n     parameters {shown}; statistics {', '.join(circuit.statistic_names)}")
    return 0


def _info(options):
    from importlib.metadata import version

    import numba

    import numepi as ne
    from numepi.circuits.lds import EIGENVALUE

    print(f"numepi {ne.__version__}, Python {platform.python_version()}, {platform.platform()}")
    print(", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "scipy", "autograd", "matplotlib")))
    threads = f"threads {numba.get_num_threads()} of {os.cpu_count()} cores (NUMBA_NUM_THREADS sets them)"
    print(f"{threads}, threading layer: numepi's own pool around kernels that release the lock")
    print(f"compiled kernels are kept in {EIGENVALUE.kernel.stats.cache_path or 'memory only (no writable cache)'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
