"""The process of one circuit: a loop over requests, each answered with a result or with what went wrong."""

import hashlib
import os
import statistics
import time
import traceback
from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest

from benchmarks.on_gpu import cases

__all__ = ["serve"]

_KEY = 11  # of the random numbers
_SECONDS = 0.4  # for repetitions of one call
_PASSES = 5  # of the timeline, whose median counts
_WARM_UP = 8.0  # seconds of a fit before those that count
# A fit ends with more simulations than the simulator manages: its rehearsal stays on the CPU.
_TINY_FIT = {"max_simulations": 2_000, "rng": 0, "device": "cpu"}


def serve(connection, name, rehearse):
    """Answer requests (method, arguments) until None comes: ("done", result) or ("failed", text)."""
    bench = None
    while (request := connection.recv()) is not None:
        method, arguments = request
        try:
            bench = bench or Bench(name, rehearse)
            connection.send(("done", getattr(bench, method)(*arguments)))
        except Exception as error:  # whatever a device may do: the report says it, and the other circuits go on
            connection.send(("failed", f"{type(error).__name__}: {error} ({_where(error)})"))


def _where(error):
    """The innermost place of our own code: file, line and function."""
    ours = [place for place in traceback.extract_tb(error.__traceback__) if place.filename.startswith(os.getcwd())]
    return f"{ours[-1].filename.split('/')[-1]}, line {ours[-1].lineno}, {ours[-1].name}"


class Bench:
    """One circuit, and what can be measured of it."""

    def __init__(self, name, rehearse):
        self.rehearse = rehearse
        self.circuit = cases.circuit(name, rehearse)
        self.per_parameter = cases.per_parameter(self.circuit._job(None))
        self.z = np.empty((0, len(self.circuit.parameter_names)))

    def _parameters(self, n):
        if len(self.z) < n:
            self.z = cases.draw(self.circuit, n)
        return self.z[:n]

    def _call(self, n, jacobian, precision, device):
        z = self._parameters(n)
        function = self.circuit.statistics_and_jacobian if jacobian else self.circuit.statistics
        return lambda: function(z, rng=_KEY, precision=precision, device=device)

    def prepare(self, combinations, fitted):
        """Compile: seconds of the first call for one parameter, by (precision, with Jacobian) and device.

        What a fit needs besides is compiled, too, where one comes.
        """
        found = {"per_parameter": self.per_parameter}
        for (precision, jacobian), device in product(combinations, ("cuda", "cpu")):
            start = time.perf_counter()
            self._call(1, jacobian, precision, device)()
            what = "value and Jacobian" if jacobian else "value"
            found[f"{device}, {precision}, {what}"] = time.perf_counter() - start
        if fitted:
            self.fit("cuda", _WARM_UP)
        return found

    def row(self, size, jacobian, precision):
        """Times of one batch on both, where the device spends them, what its kernels take, and how far both agree."""
        from tests.cuda.timing import Timeline, repeated, resources

        n = round(size / self.per_parameter)
        on_device, on_cpu = (self._call(n, jacobian, precision, device) for device in ("cuda", "cpu"))
        on_device()  # buffers
        wall, least, calls, answer = repeated(on_device, _SECONDS)
        cpu, least_cpu, calls_cpu, reference = repeated(on_cpu, _SECONDS)
        timelines = [Timeline() for _ in range(_PASSES)]
        for timeline in timelines:
            with timeline.recording():
                on_device()
        passes = [timeline.milliseconds() for timeline in timelines]
        spans = {kind: statistics.median(spans[kind] for spans in passes) for kind in passes[0]}
        kernels = {kind: spans[kind] for kind in spans if kind not in ("upload", "download")}
        return {
            "parameters": n,
            "simulations": n * self.per_parameter,
            "call_ms": 1e3 * wall, "call_ms_least": 1e3 * least, "calls": calls,
            "cpu_ms": 1e3 * cpu, "cpu_ms_least": 1e3 * least_cpu, "cpu_calls": calls_cpu,
            "kernel_ms": sum(kernels.values()), "kernels_ms": kernels,
            "upload_ms": spans["upload"], "download_ms": spans["download"],
            "upload_bytes": timeline.moved["upload"], "download_bytes": timeline.moved["download"],
            "launches": len(timeline.launched),
            "resources": {kernel.__name__: resources(kernel, *rest) for kernel, *rest in timeline.launched},
            "errors": _errors(answer, reference),
        }  # fmt: skip

    def fit(self, device, seconds):
        """A whole fit with default settings, at most that long: what it found, and what share of it simulated."""
        import numepi as ne
        from benchmarks.on_gpu.sampling import Rooms

        prop = self.circuit.emergent_property()
        how = _TINY_FIT if self.rehearse else {"rng": 0, "max_time": seconds, "device": device}
        with Rooms() as rooms, _timed_simulations(type(self.circuit)) as spent:
            start = time.perf_counter()
            result = ne.infer(self.circuit, prop, progress=False, **how)
            elapsed = time.perf_counter() - start
        return {
            "seconds": elapsed, "simulating": sum(seconds for _, seconds in spent), "batches": len(spent),
            "rows": sum(rows for rows, _ in spent), "median rows": statistics.median(rows for rows, _ in spent),
            "shares": rooms.shares(), "simulations of the fit": result.n_simulations, "status": str(result.status),
            "success": bool(result.success), "entropy": float(result.entropy), "most seconds": seconds,
        }  # fmt: skip

    def digest(self, size, jacobian, precision):
        """Hash of a batch's bits, computed on the device, into how many launches it was cut, and how long it took."""
        from tests.cuda.timing import Timeline

        call, timeline = self._call(round(size / self.per_parameter), jacobian, precision, "cuda"), Timeline(hold=0)
        start = time.perf_counter()
        with timeline.recording():
            answer = call()
        seconds = time.perf_counter() - start
        bits = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in _parts(answer)))
        return {"bits": bits.hexdigest(), "launches": len(timeline.launched), "seconds": seconds}

    def sustain(self, size, jacobian, precision, seconds):
        """Calls a second over some time, and whether all had the same bits."""
        call = self._call(round(size / self.per_parameter), jacobian, precision, "cuda")
        first, calls, same, start = _parts(call()), 0, True, time.perf_counter()
        while calls == 0 or time.perf_counter() - start < seconds:
            again = _parts(call())
            same &= all(np.array_equal(a, b, equal_nan=True) for a, b in zip(again, first, strict=True))
            calls += 1
        bits = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in first))
        return {
            "calls_per_second": calls / (time.perf_counter() - start), "same_bits": bool(same), "bits": bits.hexdigest()
        }  # fmt: skip

    def set_limit(self, n_bytes):
        """Let the buffers take so many bytes, or (None) what is free."""
        from numepi.simulation.cuda.memory import memory

        memory().free()
        memory().limit = n_bytes

    def occupy(self, leave):
        """Take the device's memory but for ``leave`` bytes, or (None) give it back; return how many were taken."""
        from numba import cuda

        from numepi.simulation.cuda.memory import CudaAPIError

        self.occupied = []
        if leave is None:
            return 0
        # the simulator's memory has no end
        free = 2 if self.rehearse else int(cuda.current_context().get_memory_info().free)
        wanted = piece = max(1, free - leave)
        while piece and wanted:
            try:
                self.occupied.append(cuda.device_array(min(piece, wanted), np.uint8))
                wanted -= self.occupied[-1].nbytes
            except CudaAPIError:  # what is free is not in one piece
                piece //= 2
        return sum(array.nbytes for array in self.occupied)

    def ceilings(self):
        """See `tests.cuda.timing.ceilings`."""
        from tests.cuda.timing import ceilings

        return ceilings()


def _parts(answer):
    return answer if isinstance(answer, tuple) else (answer,)


def _errors(answer, reference):
    """Largest differences from the CPU, relative to the largest number of the array: of f, of J; and unequal NaN."""
    found = {}
    for name, values, expected in zip(("f", "J"), _parts(answer), _parts(reference), strict=False):
        finite = np.isfinite(expected)
        largest = np.abs(expected[finite]).max(initial=0.0)
        found[name] = float(np.abs(values - expected)[finite].max(initial=0.0) / largest) if largest else 0.0
        found[f"{name}_not_finite"] = int((~finite).sum())
        found[f"{name}_finite_on_one_only"] = int((finite != np.isfinite(values)).sum())
    return found


@contextmanager
def _timed_simulations(kind):
    """Within, every call for statistics of a circuit of that class is entered in a list: (rows, seconds)."""
    spent = []

    def timed(function):
        def call(self, z, *arguments, **options):
            start = time.perf_counter()
            try:
                return function(self, z, *arguments, **options)
            finally:
                spent.append((len(z), time.perf_counter() - start))

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in ("statistics", "statistics_and_jacobian"):
            patch.setattr(kind, name, timed(getattr(kind, name)))
        yield spent
