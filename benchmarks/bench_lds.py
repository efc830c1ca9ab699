"""The LDS: statistics, one step of Algorithm 1, and a short run from end to end."""

import numpy as np

import numepi as ne


class Statistics:
    """Statistics and Jacobian of 500 parameters."""

    def setup(self):
        self.circuit = ne.circuits.LDS()
        self.z = np.random.default_rng(0).uniform(-10, 10, (500, 4))
        self.circuit.statistics_and_jacobian(self.z)

    def time_statistics_and_jacobian(self):
        self.circuit.statistics_and_jacobian(self.z)

    def peakmem_statistics_and_jacobian(self):
        self.circuit.statistics_and_jacobian(self.z)


class EndToEnd:
    """Two short epochs of Algorithm 1 from the uniform flow, scored on fresh samples."""

    timeout = 300

    def setup_cache(self):
        circuit = ne.circuits.LDS()
        result = ne.infer(
            circuit, circuit.emergent_property(), rng=0, solver="augmented-lagrangian", progress=False,
            initial="uniform", epochs=3, iterations_per_epoch=500,
        )  # fmt: skip
        scale = result.property.constraints(result.statistic_names).scale
        violation = np.max(np.abs(result.constraint - result.constraint_target) / scale)
        return {"entropy": result.entropy, "violation": violation, "simulations": result.n_simulations}

    def track_entropy(self, answer):
        return answer["entropy"]

    track_entropy.unit = "nats (exact: 7.040)"

    def track_worst_constraint_violation(self, answer):
        return answer["violation"]

    track_worst_constraint_violation.unit = "natural scales"

    def track_simulations(self, answer):
        return answer["simulations"]

    track_simulations.unit = "simulations"
