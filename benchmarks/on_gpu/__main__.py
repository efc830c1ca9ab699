"""See `benchmarks.on_gpu`."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.on_gpu import environment
from benchmarks.on_gpu.budget import Budget
from benchmarks.on_gpu.report import SECTIONS, Report

_OPERATIONS = Path(__file__).with_name("operations.json")


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.on_gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="directory of on_gpu.json and on_gpu.md")
    parser.add_argument("--wheels", type=Path, help="folder of wheels that go before what the machine has")
    parser.add_argument("--seconds", type=float, default=420.0, help="the run ends by itself within these")
    parser.add_argument("--commit", default=None, help="what a copy without git is a copy of")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=SECTIONS, help="parts of the run")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes, in numba's CUDA simulator")
    arguments = parser.parse_args()
    if arguments.wheels is not None:
        sys.exit(within_wheels(arguments))
    if arguments.rehearse:
        os.environ["NUMBA_ENABLE_CUDASIM"] = "1"  # read where numba is first imported, in the processes
    from benchmarks.on_gpu.run import Run  # with the packages that a machine may lack until the wheels are there

    arguments.out.mkdir(parents=True, exist_ok=True)
    report = Report(arguments.out, json.loads(_OPERATIONS.read_text()))
    Run(report, Budget(arguments.seconds), arguments.rehearse, arguments.commit or commit(), arguments.only).go()
    print(report.markdown())
    # a rehearsal must show that every step works
    sys.exit(bool(arguments.rehearse and (report.failed or report.skipped)))


def within_wheels(arguments):
    """Run again under an environment with the wheels, in the time that is left."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        variables = environment.install(arguments.wheels, Path(scratch))
        left = arguments.seconds - (time.monotonic() - start)
        command = [sys.executable, "-m", "benchmarks.on_gpu", "--out", str(arguments.out), "--seconds", str(left)]
        command += ["--commit", arguments.commit or commit(), "--only", *arguments.only]
        command += ["--rehearse"] * arguments.rehearse
        return subprocess.run(command, env=os.environ | variables, check=False).returncode


def commit():
    """The commit of this copy, marked where files differ from it."""
    try:
        return subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=10"], capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown: no git here"


if __name__ == "__main__":
    main()
