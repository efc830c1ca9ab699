"""What a library is put through in years, in minutes: kills, damaged files, and runs without end.

    python -m benchmarks.soak [--kills 100] [--files 200] [--runs 30] [--seed 0]

Prints what `docs/reliability.md` shows, and exits with 1 where something was lost, leaked or taken for what it is not.
Needs a system with fork and /proc.
"""

import argparse
import gc
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import numepi as ne
from numepi.inference.running import checkpoint

CIRCUIT = ne.circuits.LDS()
PROPERTY = CIRCUIT.emergent_property()
LONG = {
    "solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "epochs": 4, "iterations_per_epoch": 150,
    "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip
SHORT = LONG | {"epochs": 1, "iterations_per_epoch": 20}
_LIVES = (0.05, 0.5)  # seconds before a process is killed
_ROOM = 3.0  # MB that the memory in use may differ by between the first third of the runs and the last


def fit(path, seed):
    """A fit that saves after every step, from where it was; the finished result replaces ``path``.result."""
    checkpoint._INTERVAL = 0.0
    ne.infer(CIRCUIT, PROPERTY, rng=seed, checkpoint=path, resume=True, **LONG).save(f"{path}.result")


def kill_and_resume(kills, rng, directory):
    """Kill fits at random moments until ``kills`` were hit; compare each that ends with one that nobody disturbed."""
    context = multiprocessing.get_context("fork")
    hit = finished = wrong = 0
    while hit < kills or finished == 0:
        path = directory / f"fit{finished}.npz"
        while not Path(f"{path}.result").exists():
            process = context.Process(target=fit, args=(path, finished))
            process.start()
            process.join(rng.uniform(*_LIVES) if hit < kills else None)
            if process.is_alive():
                process.kill()
                process.join()
                hit += 1
            elif process.exitcode != 0:
                raise RuntimeError(f"a resumed fit ended with {process.exitcode}")
        whole = ne.infer(CIRCUIT, PROPERTY, rng=finished, **LONG)
        wrong += not same(ne.load(f"{path}.result"), whole)
        finished += 1
    left = [entry for entry in os.listdir(directory) if not entry.startswith("fit")]
    print(
        f"kills: {hit} of running fits by SIGKILL, each resumed; {finished} fits finished, {wrong} with other bits than"
    )
    print(f"       undisturbed; partial files left behind: {len(left)}")
    return wrong + len(left)


def same(one, other):
    """Whether two results have the same bits."""
    return (
        one.distribution.theta.tobytes() == other.distribution.theta.tobytes()
        and one.entropy == other.entropy
        and one.multipliers.tobytes() == other.multipliers.tobytes()
    )


def damages(rng):
    """Ways to damage bytes."""
    return {
        "cut short": lambda data: data[: rng.randrange(len(data))],
        "a bit flipped": lambda data: flipped(
            data, [rng.randrange(len(data))], lambda byte: byte ^ 1 << rng.randrange(8)
        ),
        "bytes at random": lambda data: flipped(data, rng.sample(range(len(data)), 20), lambda _: rng.randrange(256)),
        "a block of zeros": lambda data: flipped(data, block(rng, data), lambda _: 0),
        "a block left out": lambda data: bytes(np.delete(np.frombuffer(data, np.uint8), list(block(rng, data)))),
        "a block twice": lambda data: data[: block(rng, data)[-1]] + data[block(rng, data)[0] :],
    }


def block(rng, data):
    start = rng.randrange(len(data) - 64)
    return range(start, min(len(data), start + rng.randrange(1, 4096)))


def flipped(data, places, change):
    data = bytearray(data)
    for place in places:
        data[place] = change(data[place])
    return bytes(data)


def damaged_files(files, rng, directory):
    """Load results and resume checkpoints that were damaged: refused in one line, or read to the same bits."""
    result, state, bad = directory / "result.npz", directory / "state.npz", directory / "bad.npz"
    whole = ne.infer(CIRCUIT, PROPERTY, checkpoint=state, **SHORT)
    whole.save(result)
    read = {
        result: lambda: ne.load(bad),
        state: lambda: ne.infer(CIRCUIT, PROPERTY, checkpoint=bad, resume=True, **SHORT),
    }
    ways, refused, unharmed, wrong = damages(rng), 0, 0, 0
    for number in range(files):
        source = (result, state)[number % 2]
        way = list(ways)[number // 2 % len(ways)]
        bad.write_bytes(ways[way](source.read_bytes()))
        try:
            answer = read[source]()
        except ValueError as error:
            refused += 1
            wrong += "\n" in str(error) or str(bad) not in str(error)
        else:
            unharmed += 1
            wrong += not same(answer, whole)
    print(f"files: {files} damaged in {len(ways)} ways (results and checkpoints): {refused} refused in one line that")
    print(f"       names the file, {unharmed} read to the same bits (what is damaged is not read), {wrong} otherwise")
    return wrong


def resources():
    """Memory in use (MB), descriptors, threads of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    descriptors = len(os.listdir("/proc/self/fd"))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, descriptors, len(os.listdir("/proc/self/task"))


def many_runs(runs, directory):
    """Runs of both solvers, with checkpoints, files and an executor: what they hold on to when they have ended."""
    quick = {"max_simulations": 2000, "surrogate_first_steps": 100, "surrogate_steps": 100, "fit_steps": 20}
    quick |= {"landing_steps": 20, "most_repeated": 0, "pool_size": 1000, "progress": False}
    seen = []
    for number in range(runs):
        path = directory / f"run{number}.npz"
        with ThreadPoolExecutor(2) as pool:
            ne.infer(CIRCUIT, PROPERTY, rng=number, checkpoint=path, executor=pool, **SHORT).save(path)
        ne.infer(CIRCUIT, PROPERTY, rng=number, **quick)
        ne.load(path).sample(100)
        seen.append(resources())
    third = max(1, runs // 3)
    memory = np.array([each[0] for each in seen])
    growth = np.median(memory[-third:]) - np.median(memory[third : 2 * third])
    descriptors, threads = (sorted({each[i] for each in seen[third:]}) for i in (1, 2))
    print(f"runs:  {runs} of each solver: {memory[third]:.0f} MB after {third + 1}, {memory[-1]:.0f} MB after {runs}")
    print(f"       (medians of the last two thirds differ by {growth:+.1f} MB);", end=" ")
    print(f"descriptors {descriptors}, threads {threads}")
    return int(growth > _ROOM) + (len(descriptors) > 1) + (len(threads) > 1)


def main():
    """Run all three; the exit code tells whether anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("kills", 100), ("files", 200), ("runs", 30), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    rng = random.Random(options.seed)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    start, wrong = time.perf_counter(), 0
    for check, size in ((kill_and_resume, options.kills), (damaged_files, options.files)):
        with tempfile.TemporaryDirectory() as directory:
            wrong += check(size, rng, Path(directory))
    with tempfile.TemporaryDirectory() as directory:
        wrong += many_runs(options.runs, Path(directory))
    print(f"{'nothing' if wrong == 0 else wrong} went wrong; {time.perf_counter() - start:.0f} s", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
