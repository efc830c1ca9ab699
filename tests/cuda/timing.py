"""Where the time of a call goes on the device: events around every kernel and copy, and what each kernel took.

`benchmarks.on_gpu` measures with it.  Import this module only where numba-cuda is installed.
"""

import statistics
import time
from collections import defaultdict
from contextlib import contextmanager
from functools import cache, partial

import numba
import numpy as np
import pytest
from numba import cuda

from numepi.simulation.cuda import programs, rows, simulations
from numepi.simulation.cuda.launch import THREADS
from numepi.simulation.cuda.memory import memory

__all__ = ["Timeline", "ceilings", "repeated", "resources"]

_SIMULATED = bool(numba.config.ENABLE_CUDASIM)
_HOLD = 2_000_000  # dependent multiply-adds, at least 4 cycles each: milliseconds, more than a launch takes the host
_CHAINS, _REPEATS, _LENGTH = 8, 8, 500  # independent multiply-adds of a thread, how often in a loop, and its length


class _HostEvent:
    """Stands in for an event in the simulator, whose own know no time."""

    def record(self, stream=0):
        self.time = time.perf_counter()

    def elapsed_time(self, end):
        return 1e3 * (end.time - self.time)


def _event():
    return _HostEvent() if _SIMULATED else cuda.event(timing=True)


@cuda.jit
def _hold(length, out):
    value = out[0]  # no number that the compiler knows
    for _ in range(length):
        value = value * 0.999 + 0.001
    out[0] = value


@cache
def _hold_result():
    return cuda.device_array(1, np.float64)


def repeated(call, seconds, most=20):
    """Median and least time of a call in seconds, and how many there were: as many as fit into ``seconds``."""
    times, start = [], time.perf_counter()
    while not times or (len(times) < most and time.perf_counter() - start < seconds):
        before = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - before)
    return statistics.median(times), min(times), len(times), result


class Timeline:
    """Times of the kernels and copies within, on the device.

    Before each kernel the device is kept busy, so that what is timed has been queued when it begins: the time between
    two events has none of the host's in it.

    Parameters
    ----------
    hold : int
        How long, in multiply-adds; 0 where only launches are counted.

    Attributes
    ----------
    launched : list of (kernel, threads, arguments)
    moved : dict
        Bytes by direction.
    """

    def __init__(self, hold=1 if _SIMULATED else _HOLD):
        self.device, self._hold = memory(), hold
        self.launched, self.moved = [], defaultdict(int)
        self._spans = []

    @contextmanager
    def _span(self, kind):
        start, end = _event(), _event()
        start.record(self.device.stream)
        yield
        end.record(self.device.stream)
        self._spans.append((kind, start, end))

    @contextmanager
    def recording(self):
        """Within, the drivers' launches and copies are timed."""
        upload, download = self.device.upload, self.device.download

        def timed_launch(launch, kernel, threads, stream, *arguments):
            if self._hold:
                _hold[1, 1, stream](self._hold, _hold_result())
            with self._span(kernel.__name__):
                launch(kernel, threads, stream, *arguments)
            self.launched.append((kernel, threads, arguments))

        def timed_upload(name, values):
            with self._span("upload"):
                array = upload(name, values)
            self.moved["upload"] += values.nbytes
            return array

        def timed_download(array):
            with self._span("download"):
                values = download(array)
            self.moved["download"] += values.nbytes
            return values

        with pytest.MonkeyPatch.context() as patch:
            for driver in (simulations, programs, rows):
                patch.setattr(driver, "launch", lambda *a, launch=driver.launch: timed_launch(launch, *a))
            patch.setattr(self.device, "upload", timed_upload)
            patch.setattr(self.device, "download", timed_download)
            yield
        self.device.stream.synchronize()

    def milliseconds(self):
        """Sum by kind: "upload", "download" and the names of kernels."""
        sums = defaultdict(float)
        for kind, start, end in self._spans:
            sums[kind] += start.elapsed_time(end)
        return dict(sums)


def resources(kernel, threads, arguments):
    """Registers, local bytes, blocks and warps that a multiprocessor holds, and how often the grid fills the device."""
    if _SIMULATED:
        return {"registers": 0, "local_bytes": 0, "warps": 0, "waves": 0.0}
    overload = kernel.overloads[tuple(kernel.typeof_pyval(argument) for argument in arguments)]
    context = cuda.current_context()
    blocks = context.get_active_blocks_per_multiprocessor(overload._codelibrary.get_cufunc(), THREADS, 0)
    at_once = blocks * cuda.get_current_device().MULTIPROCESSOR_COUNT
    return {
        "registers": overload.regs_per_thread,
        "local_bytes": overload.local_mem_per_thread,
        "warps": blocks * THREADS // 32,
        "waves": -(-threads // THREADS) / at_once,
    }


def _chains(real):
    factor, summand, repeats = real(0.999), real(0.001), _REPEATS

    @cuda.jit
    def multiply_add(length, out):
        thread = cuda.grid(1)
        a = real(thread)  # no number that the compiler knows
        b, c, d, e, f, g, h = a + a, a * a, a - real(1), a + real(2), a + real(3), a - real(4), a + real(5)
        for _ in range(length):
            for _ in range(repeats):
                a, b, c, d = a * factor + summand, b * factor + summand, c * factor + summand, d * factor + summand
                e, f, g, h = e * factor + summand, f * factor + summand, g * factor + summand, h * factor + summand
        out[thread] = a + b + c + d + e + f + g + h

    return multiply_add


def ceilings():
    """What this device reaches: multiply-adds (two operations each) a second, and bytes a second of pageable copies."""
    stream, found = cuda.stream(), {}
    blocks, length = (1, 2) if _SIMULATED else (cuda.get_current_device().MULTIPROCESSOR_COUNT * 16, _LENGTH)

    def timed(call, repeats=5):
        times = []
        for _ in range(repeats):
            start, end = _event(), _event()
            start.record(stream)
            call()
            end.record(stream)
            stream.synchronize()
            times.append(1e-3 * start.elapsed_time(end))
        return min(times)

    for real in (np.float32, np.float64):
        out = cuda.device_array(blocks * THREADS, real)
        multiply_add = partial(_chains(real)[blocks, THREADS, stream], length, out)
        multiply_add()
        seconds = timed(multiply_add)
        found[f"{real.__name__}_per_second"] = 2 * _CHAINS * _REPEATS * length * blocks * THREADS / seconds
    host = np.zeros(2**10 if _SIMULATED else 2**25)
    array = cuda.to_device(host, stream=stream)
    found["upload_bytes_per_second"] = host.nbytes / timed(lambda: array.copy_to_device(host, stream=stream))
    found["download_bytes_per_second"] = host.nbytes / timed(lambda: array.copy_to_host(host, stream=stream))
    return found
