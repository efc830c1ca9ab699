"""The run: facts, tests and compilation side by side, then one step after another, as long as there is time."""

import os
import platform
import re
import subprocess
import sys
from importlib.util import find_spec
from itertools import product
from typing import NamedTuple

from benchmarks.on_gpu import cases
from benchmarks.on_gpu.environment import versions
from benchmarks.on_gpu.processes import Failure, Process

__all__ = ["Run", "Step"]

# Of the machine's plugins one that warns beside pytest-xdist, and a warning is an error here.
_PLUGINS = ("-p", "no:cacheprovider", "-p", "no:benchmark")
_MOST_SECONDS = 120  # for one step of a process
# Seconds of a fit, and its share of what is left before the first: four of them leave a sixth.
_MOST_OF_A_FIT, _SHARE_OF_A_FIT = 80, 0.21


class Step(NamedTuple):
    """One thing to do.

    Attributes
    ----------
    section : str
        Of the report.
    label : dict
        Its name there.
    key, size
        Its kind and size, for predictions.
    do : callable
        Returns the rest of its entry.
    reason : str
        Why it cannot be done.
    """

    section: str
    label: dict
    key: tuple
    size: int
    do: object
    reason: str = ""


class Run:
    """All that a run holds.

    Parameters
    ----------
    report : report.Report
    budget : budget.Budget
    rehearse : bool
    commit : str
        What the numbers are of.
    sections : tuple of str
        Of `report.SECTIONS`, those to do.
    """

    def __init__(self, report, budget, rehearse, commit, sections):
        self.report, self.budget, self.rehearse, self.sections = report, budget, rehearse, sections
        self.names = cases.REHEARSED if rehearse else cases.NAMES
        self.fitted = ("LDS",) if rehearse else ("SC", "V1")
        self.report.facts = {"commit": commit, "rehearsal": rehearse, **facts(), **versions()}
        self.report.write()
        self.processes, self.per_parameter, self.fit_seconds = {}, {}, None

    def go(self):
        """Everything; ends all processes whatever happens."""
        tests = DeviceTests(self.report, "not alone") if "device tests" in self.sections else None
        self.processes = {name: Process(name, self.rehearse) for name in self.names}
        try:
            self.prepare()
            if tests is not None:
                tests.finish(self.budget.left)
                DeviceTests(self.report, "alone").finish(self.budget.left)
            for step in self.steps():
                if step.section in self.sections:
                    self.take(step)
        finally:
            for process in self.processes.values():
                process.end()
            self.report.facts["seconds left"] = self.budget.left
            self.report.write()

    def prepare(self):
        """Compile everything, all circuits at once; measure the ceilings when that is over."""
        combinations = list(product(cases.precisions(self.rehearse), (True, False)))
        for name, process in self.processes.items():
            process.send("prepare", combinations, name in self.fitted and "fits" in self.sections)
        for name, process in self.processes.items():
            try:
                answer = process.receive(max(1.0, self.budget.left))
            except Failure as failure:
                self.report.fail(f"compile {name}", str(failure))
            else:
                self.per_parameter[name] = answer.pop("per_parameter")
                self.report.add("compilation", {"circuit": name, **answer})
        first = next(iter(self.processes.values()))
        try:
            self.report.facts["ceilings"] = first.ask(_MOST_SECONDS, "ceilings")
        except Failure as failure:
            self.report.fail("ceilings", str(failure))

    def take(self, step):
        """Do a step, or say why not."""
        reason = self.budget.reason_to_skip(step.key, step.size) or step.reason
        if reason:
            self.report.skip(_text(step.label), reason)
            return
        before = self.budget.left
        try:
            entry = step.do()
        except Failure as failure:
            self.report.fail(_text(step.label), str(failure))
        else:
            self.budget.remember(step.key, step.size, before - self.budget.left)
            self.report.add(step.section, step.label | entry)
            print(f"{self.budget.left:5.0f} s left  {_text(step.label)}", flush=True)

    def steps(self):
        """Every step, the most telling first."""
        rows = [self.row(*row) for row in cases.rows(list(self.per_parameter), self.rehearse)]
        telling = len(self.per_parameter) * len(cases.precisions(self.rehearse)) * 2
        fits = [self.fit(name, dev) for name in self.fitted for dev in ("cuda", "cpu") if name in self.per_parameter]
        return [*rows[:telling], *self.little_memory(), *self.two_processes(), *fits, *rows[telling:]]

    def row(self, size, jacobian, precision, name):
        """One row of the table of times."""

        def do():
            return self.processes[name].ask(_MOST_SECONDS, "row", size, jacobian, precision)

        label = {"circuit": name, "precision": precision, "jacobian": jacobian, "size": size}
        least = self.per_parameter[name]
        reason = f"one parameter is {least} simulations" if round(size / least) == 0 else ""
        return Step("rows", label, (name, precision, jacobian), size, do, reason)

    def fit(self, name, device):
        """A whole fit."""

        def do():
            if self.fit_seconds is None:  # all have the same
                self.fit_seconds = min(_MOST_OF_A_FIT, _SHARE_OF_A_FIT * self.budget.left)
            return self.processes[name].ask(self.fit_seconds + _MOST_SECONDS, "fit", device, self.fit_seconds)

        return Step("fits", {"circuit": name, "device": device}, ("fit", name, device), 1, do)

    def little_memory(self):
        """A batch that fits, then within less memory than it takes, then beside a process that has the rest."""
        name, size = ("SC", 8) if self.rehearse else ("STG", 100_000)  # the STG keeps every step
        if name not in self.per_parameter:
            return
        batch = size, True, "float64"
        process, other = self.processes[name], next(p for p in self.processes.values() if p.name != name)

        def step(what, do):
            return Step("memory", {"what": what}, (what,), 1, do)

        def within(n_bytes):
            process.ask(_MOST_SECONDS, "set_limit", n_bytes)
            try:
                return process.ask(_MOST_SECONDS, "digest", *batch)
            finally:
                process.ask(_MOST_SECONDS, "set_limit", None)

        def beside(leave):
            process.ask(_MOST_SECONDS, "set_limit", None)
            taken = other.ask(_MOST_SECONDS, "occupy", leave)
            try:
                return {"taken by another": taken} | process.ask(_MOST_SECONDS, "digest", *batch)
            except Failure as failure:
                return {"taken by another": taken, "answer": str(failure)}
            finally:
                other.ask(_MOST_SECONDS, "occupy", None)

        def newcomer():
            taken = other.ask(_MOST_SECONDS, "occupy", 2**20)
            new = Process(name, self.rehearse)
            try:
                return {"taken by another": taken} | new.ask(
                    _MOST_SECONDS, "digest", self.per_parameter[name], *batch[1:]
                )
            except Failure as failure:
                return {"taken by another": taken, "answer": str(failure)}
            finally:
                new.end()
                other.ask(_MOST_SECONDS, "occupy", None)

        yield step(f"a batch of the {name}", lambda: within(None))
        yield step("the same, limited to 100 MB", lambda: within(300 if self.rehearse else 100_000_000))
        yield step("the same, another process leaves 512 MB", lambda: beside(512 * 2**20))
        yield step("the same, another process leaves 1 MB", lambda: beside(2**20))
        yield step("one parameter in a new process, another leaves 1 MB", newcomer)

    def two_processes(self):
        """Two circuits alone, and at the same time: calls a second, and the same bits."""
        pair = [name for name in ("SC", "LDS" if self.rehearse else "STG") if name in self.per_parameter]
        if len(pair) < 2:
            return
        batch, seconds = ((4, True, "float64"), 0.1) if self.rehearse else ((100_000, True, "float64"), 2.0)

        def alone(name):
            return self.processes[name].ask(_MOST_SECONDS, "sustain", *batch, seconds)

        def together():
            for name in pair:
                self.processes[name].send("sustain", *batch, seconds)
            answers = [self.processes[name].receive(_MOST_SECONDS) for name in pair]
            return {name: f"{a['calls_per_second']:.3g} calls/s, {a['bits']}" for name, a in zip(pair, answers)}

        for name in pair:
            yield Step("two processes", {"what": f"{name} alone"}, ("alone", name), 1, lambda n=name: alone(n))
        yield Step("two processes", {"what": "both"}, ("together",), 1, together)


class DeviceTests:
    """``tests/cuda/test_device.py``, begun when this is made: on several processes where pytest-xdist is there."""

    def __init__(self, report, marker):
        self.report, self.marker = report, marker
        several = ["-n", "6"] if find_spec("xdist") and marker != "alone" else []
        command = [sys.executable, "-m", "pytest", "-q", *_PLUGINS, "tests/cuda/test_device.py"]
        self._process = subprocess.Popen(
            [*command, "-m", marker, "--durations=5", *several], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def finish(self, seconds):
        """Wait so long at most, and enter the outcome."""
        try:
            output, _ = self._process.communicate(timeout=max(1.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            output, _ = self._process.communicate()
            self.report.fail(f"device tests, {self.marker}", f"not ended after {seconds:.0f} s")
        print(output, flush=True)
        lines = output.strip().splitlines() or ["no output"]
        failed = [line for line in lines if re.match(r"(FAILED|ERROR) ", line)]
        self.report.add("device tests", {"which": self.marker, "outcome": lines[-1], "failed": "; ".join(failed)})


def _text(label):
    return ", ".join(f"{key} {value}" for key, value in label.items())


def facts():
    """The machine: its GPU as nvidia-smi names it, its processor."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,clocks.max.sm", "--format=csv,noheader"]
    try:
        gpu = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        gpu = f"nvidia-smi: {error}"
    try:
        with open("/proc/cpuinfo") as file:
            processor = re.search(r"model name\s*:\s*(.*)", file.read())[1]
    except (OSError, TypeError):  # no such file, or none of such a line
        processor = platform.processor()
    return {"GPU (driver, memory, highest clock)": gpu, "processor": processor, "cores": os.cpu_count()}
