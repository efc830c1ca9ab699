"""SMC-ABC (pyABC): population 1000, uniform prior, multivariate normal transitions, down to the ball of radius 0.5."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

__all__ = ["smc_abc"]

_POPULATION, _RADIUS, _PROCESSES = 1000, 0.5, 2


def smc_abc(problem, seed, referee):
    """Run pyABC in processes of its own, which the referee can stop in the midst of a generation."""
    import pyabc

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "abc.db"
        database = f"sqlite:///{path}"
        call = [sys.executable, "-m", __name__, problem.name, str(seed), database]
        process = subprocess.Popen(call, start_new_session=True)
        clock = [(0.0, 0.0)]
        while process.poll() is None and clock[-1][1] < referee.limit:
            time.sleep(0.05)
            if path.exists():  # made when all is imported and compiled
                if len(clock) == 1:
                    start, before = time.perf_counter(), _cpu_seconds(process.pid)
                clock.append((time.perf_counter() - start, max(_cpu_seconds(process.pid) - before, clock[-1][1])))
        status = "out of CPU seconds" if process.poll() is None else "reached the ball"
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        history = pyabc.History(database, create=False)
        table = history.get_all_populations()
        begun = table.loc[table.t == -1, "population_end_time"].iloc[0]
        simulations, draw = 0, None
        for row in table[table.t >= 0].itertuples():
            simulations += row.samples
            particles, weights = history.get_distribution(m=0, t=row.t)
            draw = _resampler(particles[list(problem.circuit.parameter_names)].to_numpy(), weights, seed)
            seconds = (row.population_end_time - begun).total_seconds()
            referee.look(draw, simulations, (seconds, float(np.interp(seconds, *zip(*clock)))))
        reached = (
            f", radius {table.epsilon.iloc[-1]:.2f}" if draw is not None else " before the first population was stored"
        )
    return {"draw": draw, "simulations": simulations, "status": status + reached, "clocks": clock[-1]}


def _cpu_seconds(session):
    """CPU seconds of all processes of a session (Linux)."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            fields = path.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _resampler(particles, weights, seed):
    rng = np.random.default_rng(seed)
    return lambda n: particles[rng.choice(len(particles), size=n, p=weights / weights.sum())]


def _main(name, seed, database):
    import pyabc

    from benchmarks.peers.problems import problem as problem_of

    class DownToRadius(pyabc.MedianEpsilon):
        def __call__(self, t):
            return max(_RADIUS, super().__call__(t))

    problem = problem_of(name)
    names = problem.circuit.parameter_names

    def model(parameters):
        z = np.array([[parameters[name] for name in names]])
        return {"f": problem.circuit.statistics(z, rng=int(np.random.randint(2**31)))[0]}  # noqa: NPY002

    np.random.seed(int(seed))  # noqa: NPY002 (pyABC draws from the global state)
    problem.circuit.statistics(problem.uniform(2, np.random.default_rng(0)))  # compiles before the clock starts
    lower, upper = problem.box
    prior = pyabc.Distribution(**{n: pyabc.RV("uniform", a, b - a) for n, a, b in zip(names, lower, upper)})
    abc = pyabc.ABCSMC(
        model,
        prior,
        lambda x, y: float(np.linalg.norm(x["f"] - y["f"])),
        population_size=_POPULATION,
        transitions=pyabc.MultivariateNormalTransition(),
        eps=DownToRadius(),
        sampler=pyabc.sampler.MulticoreEvalParallelSampler(n_procs=_PROCESSES),
    )
    abc.new(database, {"f": problem.mu})
    abc.run(minimum_epsilon=_RADIUS)


if __name__ == "__main__":
    _main(*sys.argv[1:])
