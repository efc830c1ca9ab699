"""Time that the dual solver spends outside of simulator and flow."""

import time

import numepi as ne


class Clock:
    """Time spent in methods that it watches, and in the pullbacks that they return."""

    def __init__(self):
        self.seconds = 0.0

    def timed(self, call):
        def run(*args, **keywords):
            start = time.perf_counter()
            answer = call(*args, **keywords)
            self.seconds += time.perf_counter() - start
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
        clock.watch(circuit, "statistics")
        for name in ("sample", "log_prob", "sample_with_pullback", "log_prob_with_pullback"):
            clock.watch(flow, name)
        inside = []  # up to the end of the fit

        def look(state):
            inside.append(clock.seconds / state.elapsed)

        ne.infer(circuit, circuit.emergent_property(), rng=0, flow=flow, progress=False, callback=look)
        return 1 - inside[-1]

    track_share.unit = "share"
