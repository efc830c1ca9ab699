"""The operations that can be traced: NumPy's names for them, and what they do in plain NumPy."""

import numpy as np
from scipy.special import expit

__all__ = ["ELEMENTWISE", "UFUNCS", "evaluate"]


def _stop(x):
    return x


def _graze(x, condition):
    return x


def _power(base, exponent):
    return np.power(np.asarray(base, float), exponent)


# What nodes of a finished graph may be.  "stop" has its argument's value and no derivative; "graze" its first
# argument's value, and a derivative of NaN where the second holds; "equal" compares in numepi's own expressions only.
ELEMENTWISE = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "neg": np.negative, "exp": np.exp,
    "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos, "sigmoid": expit, "cosh": np.cosh,
    "abs": np.abs, "floor": np.floor, "maximum": np.maximum, "minimum": np.minimum, "less": np.less,
    "less_equal": np.less_equal, "equal": np.equal, "and": np.logical_and, "or": np.logical_or,
    "not": np.logical_not, "where": np.where, "stop": _stop, "finite": np.isfinite,
    "graze": _graze,
}  # fmt: skip
# What is written in terms of these.
_DERIVED = {
    "greater": np.greater, "greater_equal": np.greater_equal, "power": _power, "expm1": np.expm1, "log1p": np.log1p,
    "sinh": np.sinh, "remainder": np.remainder, "sign": np.sign,
    "arctanh": np.arctanh, "square": np.square, "positive": np.positive,
}  # fmt: skip

# NumPy's (and SciPy's) ufuncs by name.
UFUNCS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "negative": "neg",
    "exp": "exp", "log": "log", "tanh": "tanh", "sqrt": "sqrt", "sin": "sin", "cos": "cos", "expit": "sigmoid",
    "cosh": "cosh", "absolute": "abs", "fabs": "abs", "floor": "floor", "maximum": "maximum", "minimum": "minimum",
    "fmax": "maximum", "fmin": "minimum", "less": "less", "less_equal": "less_equal", "greater": "greater",
    "greater_equal": "greater_equal", "logical_and": "and", "logical_or": "or", "logical_not": "not",
    "bitwise_and": "and", "bitwise_or": "or", "invert": "not", "power": "power", "float_power": "power",
    "expm1": "expm1", "log1p": "log1p", "sinh": "sinh", "remainder": "remainder", "mod": "remainder", "sign": "sign",
    "arctanh": "arctanh", "square": "square", "positive": "positive", "conjugate": "positive", "isfinite": "finite",
}  # fmt: skip


def evaluate(op, values):
    """The operation on numbers or arrays, in plain NumPy; truth values are 0 and 1."""
    function = ELEMENTWISE.get(op) or _DERIVED[op]
    if op == "where":
        values = [np.asarray(values[0]) != 0, *values[1:]]
    with np.errstate(all="ignore"):
        return np.asarray(function(*values), np.float64)
