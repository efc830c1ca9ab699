"""Time that the solvers spend outside of simulator and flow.

``python -m benchmarks.bench_overhead`` prints what a step of Algorithm 1 takes, and where.
"""

import time
from itertools import product

import numpy as np

import numepi as ne
from benchmarks.bench_solvers import CIRCUITS
from numepi.inference.augmented_lagrangian.solver import AugmentedLagrangian, Settings
from numepi.inference.problem import Problem

_SIMULATION = "_call"  # what both of a circuit's methods go through, which stay methods


class Clock:
    """Time by ``now`` spent in methods that it watches, and in the pullbacks that they return."""

    def __init__(self, now=time.perf_counter):
        self.now = now
        self.seconds = 0.0

    def timed(self, call):
        def run(*args, **keywords):
            start = self.now()
            answer = call(*args, **keywords)
            self.seconds += self.now() - start
            if isinstance(answer, tuple) and callable(answer[-1]):
                answer = (*answer[:-1], self.timed(answer[-1]))
            return answer

        return run

    def watch(self, owner, name):
        setattr(owner, name, self.timed(getattr(owner, name)))


class Overhead:
    """Share of a fit's time that is neither simulator nor flow."""

    timeout = 3000

    def track_share(self):
        circuit = ne.circuits.LDS()
        flow = ne.SplineFlow(circuit.support)
        warm = {"max_simulations": 500, "fit_steps": 2, "landing_steps": 2}
        ne.infer(circuit, circuit.emergent_property(), rng=0, flow=flow, progress=False, **warm)
        clock = Clock()
        clock.watch(circuit, _SIMULATION)
        for name in ("sample", "log_prob", "sample_with_pullback", "log_prob_with_pullback"):
            clock.watch(flow, name)
        inside = []  # up to the end of the fit

        def look(state):
            inside.append(clock.seconds / state.elapsed)

        ne.infer(circuit, circuit.emergent_property(), rng=0, flow=flow, progress=False, callback=look)
        return 1 - inside[-1]

    track_share.unit = "share"


def step_times(name, precision="float64", steps=100, repeats=5):
    """CPU seconds of a step of Algorithm 1 on a circuit of `bench_solvers`; the share of flow, simulation and normals.

    The medians of some repeats; the paper's flow, the default batch of 500.
    """
    circuit = CIRCUITS[name]()
    problem = Problem(circuit, circuit.emergent_property(), np.random.SeedSequence(0), precision=precision)
    flow = AugmentedLagrangian.default_flow(circuit, precision, None)
    solver = AugmentedLagrangian(problem, flow, Settings(iterations_per_epoch=steps * (repeats + 1)))
    solver.initialise()
    clock = Clock(time.process_time)
    for owner, method in ((circuit, _SIMULATION), (flow, "sample_with_pullback"), (problem, "normals")):
        clock.watch(owner, method)
    seconds, shares = [], []
    for _ in range(repeats + 1):
        clock.seconds, begun = 0.0, time.process_time()
        for _ in range(steps):
            solver.step()
        seconds.append((time.process_time() - begun) / steps)
        shares.append(clock.seconds / steps / seconds[-1])
    return float(np.median(seconds[1:])), float(np.median(shares[1:]))


class AlgorithmOne:
    """A step of Algorithm 1: run it on one thread, so that CPU time is that of the step."""

    timeout = 600
    params = (("lds", "rnn2", "rnn10"), ("float64", "float32"))
    param_names = ("circuit", "precision")

    def setup_cache(self):
        return {case: step_times(*case) for case in product(*self.params)}

    def track_milliseconds(self, times, name, precision):
        return 1e3 * times[name, precision][0]

    track_milliseconds.unit = "ms of CPU"

    def track_share(self, times, name, precision):
        return times[name, precision][1]

    track_share.unit = "share of flow passes, simulation and random numbers"


if __name__ == "__main__":
    for case in product(*AlgorithmOne.params):
        seconds, share = step_times(*case)
        print(f"{' '.join(case)}: {1e3 * seconds:.2f} ms of CPU, {share:.0%} in flow, simulation, normals", flush=True)
