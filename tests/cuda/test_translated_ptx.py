"""The kernels' PTX, translated to C and run on the CPU, against the CPU's own kernels; and that errors in it show."""

import re

import numpy as np
import pytest

import numepi as ne
from benchmarks.dynamics_models.sc import sc
from benchmarks.dynamics_models.v1 import v1
from tests.cuda.ptx_to_c import instructions, to_c

KEY = 11
# Bounds on the error of values and of Jacobians, relative to the largest number of the array.  What differs is where
# multiply-adds are fused; the STG amplifies that along its 300 steps.
CIRCUITS = {
    "lds": (ne.circuits.LDS(), {"float64": (1e-15, 1e-15), "float32": (1e-6, 1e-6)}),
    # the derivative of an eigenvalue divides by its distance from the other: rows with close ones decide
    "rnn": (ne.circuits.RankTwoRNN(), {"float64": (1e-14, 1e-13), "float32": (1e-6, 1e-4)}),
    "stg": (ne.circuits.STG(), {"float64": (1e-14, 1e-12), "float32": (1e-4, 5e-3)}),
    "v1": (ne.circuits.V1(trials=10), {"float64": (1e-14, 1e-13), "float32": (1e-6, 1e-5)}),
    "sc": (ne.circuits.SC(trials=20), {"float64": (1e-14, 1e-13), "float32": (1e-5, 1e-4)}),
    "sc from equations": (sc(trials=5), {"float64": (1e-14, 1e-13), "float32": (1e-5, 1e-4)}),
    "v1 from equations": (v1(trials=5), {"float64": (1e-14, 1e-13), "float32": (1e-6, 1e-5)}),
}
ROWS = {"rnn": 50}  # as many as on a device: four random ones have no close eigenvalues


@pytest.fixture
def ptx_on_cpu():
    from tests.cuda import ptx_on_cpu  # which imports numba-cuda

    return ptx_on_cpu


def draw(circuit, n, rng):
    return circuit.support.from_line(rng.standard_normal((n, len(circuit.parameter_names))))[0]


def error(value, reference):
    assert value.shape == reference.shape
    return np.abs(value - reference).max() / np.abs(reference).max()


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", CIRCUITS)
def test_the_ptx_computes_what_the_cpu_does(name, precision, ptx_on_cpu, rng, tmp_path):
    circuit, bounds = CIRCUITS[name]
    bound, bound_jacobian = bounds[precision]
    n = ROWS.get(name, 4)
    z = draw(circuit, n, rng)
    how = {"rng": KEY, "first_index": 2**32 - n, "precision": precision}
    f, jacobian = circuit.statistics_and_jacobian(z, **how)
    with ptx_on_cpu.drivers_on_cpu(tmp_path, optimise="-O0"):
        f_ptx, jacobian_ptx = circuit.statistics_and_jacobian(z, **how, device="cuda")
        values = circuit.statistics(z, **how, device="cuda")
    print(f"{name} {precision}: f {error(f_ptx, f):.1e}, J {error(jacobian_ptx, jacobian):.1e}")
    assert error(f_ptx, f) <= bound and error(jacobian_ptx, jacobian) <= bound_jacobian
    assert error(values, f) <= bound


def test_diverging_rows_and_given_noise(ptx_on_cpu, rng, tmp_path):
    circuit = ne.circuits.V1(trials=3, steps=160)
    z = draw(circuit, 3, rng)
    z[1] = 1e200
    noise = {"x0": rng.uniform(10, 25, (3, 3, 4)), "noise": rng.standard_normal((3, 3, 160, 4))}
    f, jacobian = circuit.statistics_and_jacobian(z, noise=noise)
    assert np.isnan(f[1]).all() and np.isfinite(f[[0, 2]]).all()
    with ptx_on_cpu.drivers_on_cpu(tmp_path, optimise="-O0"):
        f_ptx, jacobian_ptx = circuit.statistics_and_jacobian(z, noise=noise, device="cuda")
    np.testing.assert_allclose(f_ptx, f, rtol=1e-13)
    np.testing.assert_allclose(jacobian_ptx, jacobian, rtol=1e-10)


# One instruction in its place, or None: arithmetic only, for a changed address or bound would just crash.
MUTATIONS = {
    "add": "sub", "sub": "add", "mul": "add", "fma": "mul", "div": "mul", "rcp": "mov", "sqrt": "mov", "neg": "mov",
    "xor": "or",
}  # fmt: skip


# Logarithms of subnormal numbers alone use these constants, 2^60 and -60: no random number is one.
UNUSED = {"0d43B0000000000000", "0dC04E000000000000"}


def mutable(text):
    """Instructions that a mutation can change, and whose results are used."""
    kinds = ("f32", "f64", "b64")
    return [
        i
        for i in instructions(text)
        if i.operation.split(".")[0] in MUTATIONS and i.operation[-3:] in kinds and not UNUSED & set(i.operands)
    ]


def mutate(text, instruction):
    name, kind = instruction.operation.split(".")[0], instruction.operation.split(".")[-1]
    operands = instruction.operands[:3] if name == "fma" else instruction.operands
    lines = text.splitlines()
    guard = f"@{instruction.guard} " if instruction.guard else ""
    lines[instruction.line] = f"\t{guard}{MUTATIONS[name]}.{kind} \t{', '.join(operands)};"
    return "\n".join(lines)


def sensitive(circuit, n, rng):
    """Of a hundred draws the most sensitive: those that decide at once forget where they began, and errors with it."""
    z = draw(circuit, 100, rng)
    _, jacobian = circuit.statistics_and_jacobian(z, rng=KEY)
    return z[np.argsort(np.abs(jacobian).max(axis=(1, 2)))[-n:]]


@pytest.mark.parametrize("name, count", [("sc", 25), ("v1", 15)])
def test_a_single_wrong_instruction_shows(name, count, ptx_on_cpu, rng, tmp_path):
    circuit, bounds = CIRCUITS[name]
    z, texts = sensitive(circuit, 3, rng), []
    f, jacobian = circuit.statistics_and_jacobian(z, rng=KEY)

    def remember(text):
        texts.append(text)
        return text

    with ptx_on_cpu.drivers_on_cpu(tmp_path, change=remember, optimise="-O0") as kernels:
        circuit.statistics_and_jacobian(z, rng=KEY, device="cuda")
        candidates = mutable(texts[0])
        chosen = np.random.default_rng(1).choice(len(candidates), count, replace=False)
        (types,) = kernels[0].compiled
        survivors = []
        for index in chosen:
            kernels[0].compiled[types] = ptx_on_cpu.build(to_c(mutate(texts[0], candidates[index])), tmp_path, "-O0")
            wrong = circuit.statistics_and_jacobian(z, rng=KEY, device="cuda")
            # written so that NaN counts as seen
            if error(wrong[0], f) <= bounds["float64"][0] and error(wrong[1], jacobian) <= bounds["float64"][1]:
                survivors.append(re.sub(r"\s+", " ", texts[0].splitlines()[candidates[index].line]))
    assert survivors == []
