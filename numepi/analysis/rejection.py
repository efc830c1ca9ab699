"""Brute force: uniform draws on the support, kept where the statistics are acceptable, with what each one cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from numepi.analysis.subjects import circuit_of
from numepi.annotations import Seed
from numepi.arguments import check_callable, check_count
from numepi.random_streams import seed_sequence
from numepi.worker_threads import check_executor

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["BruteForce", "brute_force"]


@dataclass(frozen=True)
class BruteForce:
    """Accepted parameters.

    Attributes
    ----------
    z : ndarray (n, D)
    statistics : ndarray (n, k)
    n_simulations : int
    seconds : float
    complete : bool
        Whether as many were accepted as asked for.
    """

    z: np.ndarray
    statistics: np.ndarray
    n_simulations: int
    seconds: float
    complete: bool

    @property
    def acceptance_rate(self) -> float:
        """Share of the draws that were accepted."""
        return len(self.z) / self.n_simulations

    @property
    def seconds_per_sample(self) -> float:
        """Cost of an accepted sample in seconds; inf if there is none."""
        return self.seconds / len(self.z) if len(self.z) else np.inf


def brute_force(
    circuit: Circuit,
    accept: Callable[[np.ndarray], np.ndarray],
    n: int,
    rng: Seed = 0,
    batch_size: int = 2000,
    max_simulations: int = 10_000_000,
    executor: Executor | None = None,
) -> BruteForce:
    """Draw parameters uniformly on the circuit's box until ``n`` are accepted.

    Parameters
    ----------
    circuit : Circuit
        Its support must be a box.
    accept : callable
        ``accept(f)`` with (batch, k) gives (batch,) bool, True to accept; failed simulations (NaN) never are.
    n : int
    rng : int, SeedSequence or Generator
        The accepted set depends on it alone, not on the executor.
    batch_size, max_simulations : int
    executor : concurrent.futures.Executor, optional
        Where batches run; numepi's own circuits use all cores in a batch without one.

    Returns
    -------
    BruteForce
    """
    circuit_of(circuit)
    check_callable("accept", accept, "a function of statistics (n, k)")
    for name, value in (("n", n), ("batch_size", batch_size), ("max_simulations", max_simulations)):
        check_count(name, value)
    check_executor("executor", executor)
    if not circuit.support.is_box:
        raise ValueError(f"the support {circuit.support!r} is not a box: uniform draws need bounds on all sides")
    root = seed_sequence(rng)
    start = time.perf_counter()
    run = map if executor is None else executor.map
    wave = 1 if executor is None else 16
    parts, found, drawn, batch = [], 0, 0, 0
    while found < n and drawn < max_simulations:
        sizes = [min(batch_size, max_simulations - drawn - i * batch_size) for i in range(wave)]
        sizes = [size for size in sizes if size > 0]
        numbers = range(batch, batch + len(sizes))
        for size, (z, f) in zip(sizes, run(partial(_draw, circuit, root), numbers, sizes)):
            if found >= n:
                break
            kept = np.isfinite(f).all(axis=1)
            kept[kept] = _accepted(accept, f[kept])
            parts.append((z[kept], f[kept]))
            found += int(kept.sum())
            drawn += size
        batch += len(sizes)
    z, f = (np.concatenate(part) for part in zip(*parts))
    return BruteForce(z, f, drawn, time.perf_counter() - start, found >= n)


def _accepted(accept, f):
    """Which rows of ``f`` (n, k) the user's function accepts, as (n,) bool."""
    answer = accept(f)
    answer = answer.filled(False) if np.ma.isMaskedArray(answer) else np.asarray(answer)
    if answer.dtype != bool or answer.shape != (len(f),):
        raise TypeError(f"accept returned {answer.dtype} of shape {answer.shape}: expected bool of shape ({len(f)},)")
    return answer


def _draw(circuit, root, batch, size):
    seeds = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, batch)).spawn(2)
    support = circuit.support
    z = np.random.default_rng(seeds[0]).uniform(support.lower, support.upper, (size, support.dim))
    return z, circuit.statistics(z, rng=seeds[1])
