"""One run of one method in a process of its own: ``python -m benchmarks.peers.run rnn2 dual 0 50 run.json``."""

import json
import os
import platform
import sys
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.peers.problems import problem as problem_of
from benchmarks.peers.referee import Referee

_MODULES = {"npe": "sbi_methods", "npe_with_noise": "sbi_methods", "smc_abc": "pyabc_methods"}
_DRAWS, _KEPT = 20_000, 400


def _made():
    """The machine and the packages of a run."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numepi", "numba", "numpy", "sbi", "torch", "pyabc"))
    return f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {packages}"


def main(name, method, seed, limit, path):
    warnings.filterwarnings("ignore", module="(sbi|pyabc|torch|zuko)")
    problem, seed = problem_of(name), int(seed)
    function = getattr(import_module(f"benchmarks.peers.{_MODULES.get(method, 'methods')}"), method)
    load = os.getloadavg()[0]
    problem.circuit.statistics(problem.uniform(2, np.random.default_rng(0)))  # compiles before the clock starts
    referee = Referee(problem, seed, float(limit))
    answer = function(problem, seed, referee)
    seconds, cpu = answer.get("clocks", referee.clocks)
    record = {
        "problem": name, "method": method, "seed": seed, "limit": float(limit), "seconds": seconds, "cpu": cpu,
        "simulations": int(answer["simulations"]), "status": answer["status"], "trace": referee.trace,
        "load": [load, os.getloadavg()[0]], "made": _made(), "bound": answer.get("bound"),
        "certificate": answer.get("certificate"), "ess": answer.get("ess"),
    }  # fmt: skip
    if answer["draw"] is not None:
        z = np.asarray(answer["draw"](_DRAWS), float)
        f = referee.statistics(z)
        record |= {"final": referee.judge(z), "f": f[:_KEPT].tolist()}
        if answer.get("log_prob"):
            log_q = np.asarray(answer["log_prob"](z), float)
            log_q = log_q[np.isfinite(log_q)]
            record["entropy"] = [float(-log_q.mean()), float(log_q.std() / np.sqrt(len(log_q)))]
    Path(path).write_text(json.dumps(record, default=float))


if __name__ == "__main__":
    main(*sys.argv[1:])
