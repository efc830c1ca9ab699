"""Fast elementary functions: accuracy against 80-bit references, limits, types, and vector instructions."""

import re

import numpy as np
import pytest

from numepi.kernels import fastmath
from numepi.kernels.compile import kernel

PI = np.longdouble("3.14159265358979323846264338327950288")
LIMIT = {np.float64: 1e-14, np.float32: 4 * 2.0**-23}
REFERENCES = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "cosh": np.cosh,
}
RANGES = {
    np.float64: {"exp": 707, "tanh": 30, "sigmoid": 700, "cosh": 708, "log": 700},
    np.float32: {"exp": 86, "tanh": 12, "sigmoid": 86, "cosh": 87, "log": 86},
}


@kernel
def all_functions(x, out):
    for i in range(len(x)):
        out[0, i] = fastmath.exp(x[i])
        out[1, i] = fastmath.log(x[i])
        out[2, i] = fastmath.tanh(x[i])
        out[3, i] = fastmath.sigmoid(x[i])
        out[4, i] = fastmath.cosh(x[i])


all_functions._cache.disable()  # only fresh code can be inspected


@kernel
def circle(x, out):
    for i in range(len(x)):
        out[0, i], out[1, i] = fastmath.sincos_turns(x[i])


def evaluate(x):
    out = np.empty((5, len(x)), x.dtype)
    all_functions(x, out)
    return dict(zip(REFERENCES, out))


def grid(name, dtype):
    """Both signs, from tiny to the range's end, dense in between; log takes powers of e."""
    end = RANGES[dtype][name]
    rng = np.random.default_rng(1)
    x = np.concatenate([np.geomspace(1e-30, end, 20_001), np.linspace(0.0, end, 20_001)[1:], rng.uniform(0, 4, 20_001)])
    x = np.concatenate([-x, x])
    return (np.exp(x) if name == "log" else x).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", REFERENCES)
def test_relative_error(name, dtype):
    x = grid(name, dtype)
    exact = REFERENCES[name](x.astype(np.longdouble))
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(exact == 0, np.abs(evaluate(x)[name]), np.abs(evaluate(x)[name] / exact - 1))
    assert error.max() < LIMIT[dtype], x[error.argmax()]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_logarithm_next_to_one_and_of_subnormal_numbers(dtype):
    info = np.finfo(dtype)
    x = np.array([1 + info.eps, 1 - info.epsneg, 1 + 64 * info.eps, info.smallest_subnormal, info.tiny / 3], dtype)
    np.testing.assert_allclose(evaluate(x)["log"], np.log(x.astype(np.longdouble)).astype(dtype), rtol=LIMIT[dtype])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sine_and_cosine_of_turns(dtype):
    rng = np.random.default_rng(2)
    u = np.concatenate([rng.uniform(-2, 2, 50_000), np.arange(-64, 65) / 16, 0.25 + np.geomspace(1e-9, 1e-2, 200)])
    u = u.astype(dtype)
    out = np.empty((2, len(u)), dtype)
    circle(u, out)
    # Reduced exactly, so that the reference is right at its zeros too.
    turns = u.astype(np.longdouble) - np.round(u.astype(np.longdouble) * 2) / 2
    sign = 1 - 2 * (np.round(u.astype(np.longdouble) * 2) % 2)
    beside = np.abs(turns) - np.longdouble(0.25)
    for value, exact in zip(out, (sign * np.sin(2 * PI * turns), -sign * np.sin(2 * PI * beside))):
        assert np.all(np.abs(value - exact) <= LIMIT[dtype] * np.abs(exact))
    np.testing.assert_allclose(out[0].astype(float) ** 2 + out[1].astype(float) ** 2, 1, rtol=2 * LIMIT[dtype])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_limits_and_nan(dtype):
    inf, nan, huge = np.inf, np.nan, np.finfo(dtype).max
    expected = {
        "exp": [nan, 0, inf, 1, 0, inf],
        "log": [nan, nan, inf, -inf, nan, np.log(huge)],
        "tanh": [nan, -1, 1, 0, -1, 1],
        "sigmoid": [nan, 0, 1, 0.5, 0, 1],
        "cosh": [nan, inf, inf, 1, inf, inf],
    }
    values = evaluate(np.array([nan, -inf, inf, 0, -huge, huge], dtype))
    for name, answer in expected.items():
        np.testing.assert_allclose(values[name], np.array(answer, dtype), rtol=LIMIT[dtype], err_msg=name)


def test_exponential_under_and_overflows_gradually():
    x = np.array([-745.2, -744.0, -740.0, -710.0, 709.7, 709.79])
    with np.errstate(over="ignore", under="ignore"):
        exact = np.exp(x)
    np.testing.assert_allclose(evaluate(x)["exp"], exact, rtol=1e-14, atol=5e-324)
    assert evaluate(x)["exp"][0] == 0
    assert evaluate(x)["exp"][-1] == np.inf


def test_nothing_is_promoted():
    for dtype in (np.float64, np.float32):
        assert all(type(getattr(fastmath, name)(dtype(0.5))) is float for name in REFERENCES)  # numba unboxes to float
        evaluate(np.ones(2, dtype))
    for signature in all_functions.signatures:
        width = "float" if signature[0].dtype.name == "float32" else "double"
        code = all_functions.inspect_llvm(signature)
        body = code[code.index("define") :]
        other = {"float": "double", "double": "float"}[width]
        assert not re.search(rf"fpext|fptrunc|f(mul|add|sub|div)[a-z ]* {other}\b", body)


def test_loops_become_vector_instructions():
    evaluate(np.ones(2))
    (code,) = (all_functions.inspect_llvm(s) for s in all_functions.signatures if s[0].dtype.name == "float64")
    assert re.search(r"fdiv[a-z ]*<\d+ x double>", code)


@pytest.mark.parametrize("dtype, edge", [(np.float64, 709.0), (np.float32, 88.2)])
def test_sigmoid_and_cosh_reach_their_limits_next_to_overflow(dtype, edge):
    values = evaluate(np.array([-edge - 1, -edge, edge, edge + 1], dtype))
    exact = np.exp(-np.longdouble(dtype(edge)))
    np.testing.assert_allclose(values["sigmoid"], np.array([0, exact, 1, 1], dtype), rtol=2e-6, atol=0)
    np.testing.assert_array_equal(np.isinf(values["cosh"]), [True, False, False, True])
