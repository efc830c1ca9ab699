"""One fit by default settings: the suite of which a history over versions is kept (README.md says how)."""

import time

from benchmarks.bench_solvers import answer


class DefaultFit:
    """The linear system by the dual solver, seed 0, in a fresh environment."""

    timeout = 3000

    def setup_cache(self):
        start = time.process_time()
        found = answer("lds", "dual", 0)
        return found | {"processor time": time.process_time() - start}

    def track_kl(self, answer):
        return answer["kl"]

    track_kl.unit = "nats, by the certificate"

    def track_entropy_gap(self, answer):
        return answer["entropy gap"]

    track_entropy_gap.unit = "nats below the exact 7.040"

    def track_worst_violation(self, answer):
        return answer["violation"]

    track_worst_violation.unit = "tolerances"

    def track_simulations(self, answer):
        return answer["simulations"]

    track_simulations.unit = "simulations"

    def track_processor_time(self, answer):
        return answer["processor time"]

    track_processor_time.unit = "s, with compilation of what changed"
