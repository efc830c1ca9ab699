"""The pyloric network: what a run costs, and what ending hopeless runs early saves and changes."""

import time

import numpy as np

import numepi as ne
from numepi.circuits.pyloric.bursts import FEATURES


def box(n, seed=0):
    """Uniform draws of the prior (n, 31)."""
    support = ne.circuits.Pyloric().support
    return support.lower + support.width * np.random.default_rng(seed).random((n, support.dim))


def processor_time(function):
    """Its result, and seconds of the processor."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


class Run:
    """One core, 16 lanes, the noise drawn on the way; no run ends early."""

    params = (2.75, 5.5, 11.0)
    param_names = ("seconds",)
    timeout = 300

    def setup(self, seconds):
        self.z = box(16)
        self.circuit = ne.circuits.Pyloric(duration=seconds, give_up=seconds)
        ne.circuits.Pyloric(duration=1.01).statistics(self.z)
        self.circuit.statistics(self.z)

    def track_processor_seconds_a_run(self, seconds):
        return min(processor_time(lambda: self.circuit.statistics(self.z))[1] for _ in range(3)) / len(self.z)

    track_processor_seconds_a_run.unit = "s (aim for 11 s: at most 0.15)"


class EarlyEnds:
    """320 uniform draws of the box, without and with giving up after three seconds; the period asks for AB alone."""

    timeout = 600

    def setup_cache(self):
        z, found = box(320), {}
        for name, features, give_up in (
            ("patient", FEATURES, 11.0), ("default", FEATURES, 3.0), ("period", ("period",), 3.0),
        ):  # fmt: skip
            circuit = ne.circuits.Pyloric(features=features, give_up=give_up)
            circuit.statistics(z[:16])
            found[name] = processor_time(lambda circuit=circuit: circuit.statistics(z))
        return found

    def track_share_with_a_period(self, found):
        return np.isfinite(found["patient"][0][:, 0]).mean()

    def track_share_with_all_features(self, found):
        return np.isfinite(found["patient"][0]).all(axis=1).mean()

    def track_share_whose_period_is_lost(self, found):
        patient, default = (np.isfinite(found[name][0][:, 0]) for name in ("patient", "period"))
        return (patient & ~default).sum() / patient.sum()

    def track_valid_that_are_lost(self, found):
        patient, default = (np.isfinite(found[name][0]).all(axis=1) for name in ("patient", "default"))
        return int((patient & ~default).sum())

    def track_processor_time_over_patient(self, found):
        return found["default"][1] / found["patient"][1]

    def track_processor_time_for_the_period_over_patient(self, found):
        return found["period"][1] / found["patient"][1]
