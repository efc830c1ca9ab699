"""The paper's circuits as a user writes them against the built-in ones, and what float32 loses of the STG, and where.

Double precision gets what single precision reads: parameters and noise that float32 holds.  Losses are those of the
worst of 1,600 rows (400 uniform draws of the whole box, four draws of noise), by the greatest value (Jacobians: by the
greatest entry).
"""

import itertools

import numpy as np
from numba import njit

import numepi as ne
from benchmarks.dynamics_models.sc import sc
from benchmarks.dynamics_models.stg import stg
from benchmarks.dynamics_models.v1 import v1
from numepi.circuits.stg.constants import INITIAL_STATE
from numepi.circuits.stg.spectrum import frequency, spectrum_tables, workspace

ROWS, DRAWS = 400, 4
STEPS, DROPPED, WINDOW, DT, SLOPE = 300, 20, 20, 0.025, 100.0
FREQUENCIES = np.arange(101) / 100
VALUE, JACOBIAN = 1e-4, 1e-3  # what models from equations are held to in float32, against the built-in circuits
IMAGINARY = 1e-15  # of the complex step: derivatives are imaginary parts, whose squares vanish beside one


def draws(support):
    """Parameters (1600, D) that float32 holds."""
    z = support.lower + support.width * np.random.default_rng(0).random((ROWS, support.dim))
    return np.tile(z, (DRAWS, 1)).astype(np.float32).astype(float)


def losses(found, exact):
    """Worst loss of values, worst of Jacobians, and the numbers of rows beyond 1e-4 and 1e-3."""
    (f, jacobian), (f0, jacobian0) = found, exact
    value = np.abs(f - f0).max(axis=1) / np.abs(f0).max()
    derivative = np.abs(jacobian - jacobian0).max(axis=(1, 2)) / np.abs(jacobian0).max()
    return value.max(), derivative.max(), (value > VALUE).sum(), (derivative > JACOBIAN).sum()


class WrittenAgainstBuiltIn:
    """A circuit as a user writes it against the built-in one: the same precision, noise of the same seed."""

    params = (("V1", "SC", "STG"), ("float64", "float32"))
    param_names = ("circuit", "precision")
    timeout = 600

    def setup(self, name, precision):
        circuits = {"V1": v1, "SC": sc, "STG": stg}[name](), getattr(ne.circuits, name)()
        z = draws(circuits[1].support)
        self.found = losses(*(c.statistics_and_jacobian(z, rng=1, precision=precision) for c in circuits))

    def track_value(self, name, precision):
        return self.found[0]

    def track_jacobian(self, name, precision):
        return self.found[1]


class _Losses:  # asv takes no name with an underscore for a benchmark
    """What a subclass's ``_found(name, z, noise)`` loses against the hand-written circuit in float64."""

    timeout = 600

    def _losses(self):
        z = draws(ne.circuits.STG().support)
        noise = np.random.default_rng(1).standard_normal((len(z), STEPS, 5)).astype(np.float32).astype(float)
        exact = ne.circuits.STG().statistics_and_jacobian(z, noise={"noise": noise})
        return {name: losses(self._found(name, z, noise), exact) for name in self.params[0]}

    def track_value(self, found, name):
        return found[name][0]

    def track_jacobian(self, found, name):
        return found[name][1]

    def track_rows_whose_value_is_beyond(self, found, name):
        return int(found[name][2])

    def track_rows_whose_jacobian_is_beyond(self, found, name):
        return int(found[name][3])


class SinglePrecisionOfSTG(_Losses):
    """The circuit as a user writes it, and the hand-written one, in float32."""

    params = (("as a user writes it", "hand-written"),)
    param_names = ("circuit",)

    def setup_cache(self):  # of each class: asv keeps one answer for a function that two classes share
        return self._losses()

    def _found(self, name, z, noise):
        circuit = stg() if name == "as a user writes it" else ne.circuits.STG()
        return circuit.statistics_and_jacobian(z, noise={"noise": noise}, precision="float32")


class RoundingOfSTG(_Losses):
    """The same equations in NumPy, with one thing in float32 and the rest in float64, and with all of it."""

    params = (("nothing", "constants", "states", "rates", "derivatives of states", "all", "all, compensated sums"),)
    param_names = ("in float32",)

    def setup_cache(self):
        return self._losses()

    def _found(self, name, z, noise):
        f, jacobian = np.empty((len(z), 1)), np.empty((len(z), 1, 2))
        for p in range(2):
            hub = simulate(z + 1j * IMAGINARY * np.eye(2)[p], noise, name)
            f[:, 0], by_samples = spectrum(np.ascontiguousarray(hub.real))
            jacobian[:, 0, p] = (by_samples * hub.imag).sum(axis=1) / IMAGINARY
        return f, jacobian


def constants(real):
    """dt g / C of the five neurons, and the rest of what `rates` reads, in a precision."""
    numbers = {
        "ca": [0.475, 0.475, 0.425, 0.2125, 0.2125], "k": [0.975, 0.975, 0.475, 0.375, 0.375],
        "hyp": [0.625, 0.625, 0.2, 0.25, 0.25], "leak": 0.0025, "synapse": 0.125, "nano": 0.025, "noise": 2.5e-5,
        "v_leak": 0.040, "v_ca": 0.100, "v_k": 0.080, "v_hyp": 0.020, "v_syn": 0.075, "m": 1 / 0.010, "n": 1 / 0.030,
        "h": -1 / 0.0105, "v_h": 0.0783, "tau": 1 / 0.0873, "v_tau": 0.0422, "s": 1 / 0.005, "v_s": 0.025,
        "phi": 0.025, "tau_0": 0.272 / DT, "tau_1": 1.499 / DT, "one": 1.0,
    }  # fmt: skip
    return {name: np.asarray(value, real) for name, value in numbers.items()}


def rates(x, z, c):
    """What a step adds to the state (15, n) without noise, in the precision of its arguments."""
    (v, n, h), (g_el, g_syn) = x.reshape(3, 5, -1), c["nano"] * z.T

    def sigmoid(u):
        return c["one"] / (c["one"] + np.exp(-u))

    e = np.exp(c["n"] * v)
    release = sigmoid(c["s"] * (v + c["v_s"]))
    ca, k, hyp = (c[name][:, None] * (v + sign * c[f"v_{name}"]) for name, sign in (("ca", -1), ("k", 1), ("hyp", 1)))
    current = c["leak"] * (v + c["v_leak"]) + ca * sigmoid(c["m"] * v) + k * n + hyp * h
    current[1] += g_el * (v[1] - v[2])
    current[2] += g_el * ((v[2] - v[1]) + (v[2] - v[4]))
    current[4] += g_el * (v[4] - v[2])
    before = c["synapse"] * release[[1, 0, 0, 4, 3]]
    before[2] = g_syn * (release[0] + release[3])
    tau = c["tau_0"] + c["tau_1"] * sigmoid(c["tau"] * (v + c["v_tau"]))
    return np.concatenate([
        -(current + before * (v + c["v_syn"])),
        c["phi"] * (e + c["one"] / e) * (c["one"] / (c["one"] + (c["one"] / e) ** 4) - n),
        (sigmoid(c["h"] * (v + c["v_h"])) - h) / tau,
    ])  # fmt: skip


def simulate(z, noise, single):
    """Potential of the hub at the observed samples (n, samples), complex, with what ``single`` names in float32."""
    everything = single.startswith("all")
    rate = np.complex64 if everything or single == "rates" else complex
    state = np.complex64 if everything or single == "states" else complex
    c = constants(np.float32 if everything or single in ("constants", "rates") else float)
    own = {name: value.astype(np.float32 if rate is np.complex64 else float) for name, value in c.items()}
    x = np.repeat(INITIAL_STATE.reshape(15, 1), len(z), axis=1).astype(state)
    lost, path = np.zeros_like(x), []
    for t in range(STEPS + 1):
        if t >= DROPPED:
            path.append(x[2].astype(complex))
        if t == STEPS:
            return np.stack(path, axis=1)
        rise = rates(x.astype(rate), z.astype(rate), own).astype(state)
        rise[:5] += (c["noise"] * noise[:, t].T).astype(state)
        if single == "all, compensated sums":
            rise -= lost
            lost = ((x + rise) - x) - rise
        x = x + rise
        if single == "derivatives of states":
            x = x.real + 1j * x.imag.astype(np.float32)


@njit
def spectrum_kernel(samples, tables, frequencies, omega):
    work, halves, moduli = workspace(4, samples.shape[1], tables, frequencies)
    for first in range(0, len(samples), 4):
        work[:] = samples[first : first + 4]
        frequency(work, tables, frequencies, SLOPE, True, halves, moduli, omega[first : first + 4])
        samples[first : first + 4] = work


def spectrum(samples):
    """Frequencies (n,) and their derivatives by the samples (n, samples), as the circuits compute them."""
    tables, omega = spectrum_tables(samples.shape[1], WINDOW, DT, tuple(FREQUENCIES)), np.empty(len(samples))
    by_samples = samples.copy()
    spectrum_kernel(by_samples, tables, FREQUENCIES, omega)
    return omega, by_samples


def show(name, found):
    value, derivative, rows, more_rows = found
    print(f"{name:24} {value:.1e} ({rows} rows > 1e-4)  Jacobian {derivative:.1e} ({more_rows} rows > 1e-3)")


if __name__ == "__main__":
    for arguments in itertools.product(*WrittenAgainstBuiltIn.params):
        benchmark = WrittenAgainstBuiltIn()
        benchmark.setup(*arguments)
        show(" ".join(arguments), benchmark.found)
    for kind in (SinglePrecisionOfSTG, RoundingOfSTG):
        for name, found in kind().setup_cache().items():
            show(name, found)
