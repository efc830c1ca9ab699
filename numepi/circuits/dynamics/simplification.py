"""What elementwise operations simplify to where their arguments allow it, and how some are made of others.

Each rule takes a graph and the arguments' nodes, and returns the node of something simpler, or None.
"""

import numpy as np

__all__ = ["SIMPLIFY"]


def _shape(g, a, b):
    return np.broadcast_shapes(g.shape(a), g.shape(b)) if g.shape(a) or g.shape(b) else ()


def _add(g, args):
    a, b = args
    if g.uniform(a) == 0:
        return b
    if g.uniform(b) == 0:
        return a
    if g.nodes[b].op == "neg":
        return g.apply("sub", a, g.nodes[b].args[0])
    if g.nodes[a].op == "neg":
        return g.apply("sub", b, g.nodes[a].args[0])
    if g.value(a) is not None:  # constants second
        return g.apply("add", b, a)
    return _logistic(g, a, g.uniform(b))


def _logistic(g, a, number):
    """c tanh u + c as 2 c sigmoid 2 u: less work, and the digits of what is close to zero."""
    node = g.nodes[a]
    if number is None or node.op != "mul" or g.uniform(node.args[1]) != number:
        return None
    if g.nodes[node.args[0]].op != "tanh":
        return None
    twice = g.apply("mul", g.nodes[node.args[0]].args[0], g.constant(2.0))
    return g.apply("mul", g.apply("sigmoid", twice), g.constant(2.0 * number))


def _sub(g, args):
    a, b = args
    if g.uniform(b) == 0:
        return a
    if g.uniform(a) == 0:
        return g.apply("neg", b)
    if g.nodes[b].op == "neg":
        return g.apply("add", a, g.nodes[b].args[0])
    if g.value(b) is not None:
        return g.apply("add", a, g.constant(-np.asarray(g.value(b))))
    return None


def _mul(g, args):
    a, b = args
    if g.value(a) is not None:
        a, b = b, a
    number = g.uniform(b)
    if number is not None:
        if number == 0:
            return g.constant(0.0)
        if number == 1:
            return a
        if number == -1:
            return g.apply("neg", a)
        if number == 0.5 and g.nodes[a].op == "add" and g.uniform(g.nodes[a].args[1]) == 1:
            inner = g.nodes[a].args[0]
            if g.nodes[inner].op == "tanh":  # (1 + tanh u) / 2
                return g.apply("sigmoid", g.apply("mul", g.nodes[inner].args[0], g.constant(2.0)))
    if g.value(b) is not None:
        node = g.nodes[a]
        if node.op == "mul" and g.value(node.args[1]) is not None:
            return g.apply("mul", node.args[0], g.apply("mul", node.args[1], b))
        if node.op == "neg":
            return g.apply("mul", node.args[0], g.apply("neg", b))
    if g.nodes[a].op == "neg" and g.nodes[b].op == "neg":
        return g.apply("mul", g.nodes[a].args[0], g.nodes[b].args[0])
    if (a, b) != tuple(args) or a > b:
        low, high = (a, b) if g.value(b) is not None else sorted((a, b))
        return g.add("mul", (low, high), None, _shape(g, a, b))
    return None


def _div(g, args):
    a, b = args
    value = g.value(b)
    if value is not None and np.all(value):
        return g.apply("mul", a, g.constant(1 / np.asarray(value)))
    if g.uniform(a) == 0 and value is None:
        return None  # 0 / x is NaN at x = 0
    node = g.nodes[b]
    if node.op == "add" and g.uniform(node.args[1]) == 1 and g.nodes[node.args[0]].op == "exp":
        exponent = g.nodes[node.args[0]].args[0]  # a / (1 + e^u)
        return g.apply("mul", g.apply("sigmoid", g.apply("neg", exponent)), a)
    return None


def _neg(g, args):
    node = g.nodes[args[0]]
    if node.op == "neg":
        return node.args[0]
    if node.op == "sub":
        return g.apply("sub", node.args[1], node.args[0])
    if node.op == "mul" and g.value(node.args[1]) is not None:
        return g.apply("mul", node.args[0], g.apply("neg", node.args[1]))
    return None


def _where(g, args):
    condition, a, b = args
    number = g.uniform(condition)
    if number is not None:
        return a if number else b
    return a if a == b else None


def _greater(op):
    return lambda g, args: g.apply(op, args[1], args[0])


def _power(g, args):
    base, exponent = args
    number = g.uniform(exponent)
    if number is None or number != int(number) or abs(number) > 64:
        if number == 0.5:
            return g.apply("sqrt", base)
        power = g.apply("exp", g.apply("mul", g.apply("log", base), exponent))
        # 0^p, p > 1: the derivatives are 0 (a Hill function of what is not there yet), and p / 0 * 0 in the chain
        flat = g.apply("and", g.apply("equal", base, g.constant(0.0)), g.apply("less", g.constant(1.0), exponent))
        return g.apply("where", flat, g.constant(0.0), power)
    if number < 0:
        return g.apply("div", g.constant(1.0), g.apply("power", base, g.constant(-number)))
    result, square, count = None, base, int(number)
    while count:
        if count & 1:
            result = square if result is None else g.apply("mul", result, square)
        count >>= 1
        if count:
            square = g.apply("mul", square, square)
    return g.constant(1.0) if result is None else result


def _and(g, args):
    for a, b in (args, args[::-1]):
        number = g.uniform(a)
        if number is not None:
            return b if number else g.constant(0.0)
    return None


def _or(g, args):
    for a, b in (args, args[::-1]):
        number = g.uniform(a)
        if number is not None:
            return g.constant(1.0) if number else b
    return None


def _expm1(g, args):
    half = g.apply("tanh", g.apply("mul", args[0], g.constant(0.5)))
    near = g.apply("div", g.apply("mul", half, g.constant(2.0)), g.apply("sub", g.constant(1.0), half))
    far = g.apply("sub", g.apply("exp", args[0]), g.constant(1.0))
    return g.apply("where", g.apply("less", g.apply("abs", args[0]), g.constant(1.0)), near, far)


def _log1p(g, args):
    u = g.apply("add", args[0], g.constant(1.0))
    less = g.apply("sub", u, g.constant(1.0))
    exact = g.apply("equal", less, g.constant(0.0))
    ratio = g.apply("div", args[0], g.apply("where", exact, g.constant(1.0), less))
    return g.apply("where", exact, args[0], g.apply("mul", g.apply("log", u), ratio))


def _sinh(g, args):
    up, down = g.apply("exp", args[0]), g.apply("exp", g.apply("neg", args[0]))
    return g.apply("mul", g.apply("sub", up, down), g.constant(0.5))


def _arctanh(g, args):
    one = g.constant(1.0)
    x = _of_twice_less_one(g, args[0])
    if x is not None:  # arctanh(2 x - 1): the digits of x close to zero
        ratio = g.apply("div", x, g.apply("sub", one, x))
    else:
        ratio = g.apply("div", g.apply("add", args[0], one), g.apply("sub", one, args[0]))
    return g.apply("mul", g.apply("log", ratio), g.constant(0.5))


def _of_twice_less_one(g, i):
    """The node x of a node 2 x - 1, or None."""
    node = g.nodes[i]
    if node.op != "add" or g.uniform(node.args[1]) != -1 or g.nodes[node.args[0]].op != "mul":
        return None
    x, scale = g.nodes[node.args[0]].args
    return x if g.uniform(scale) == 2 else None


def _remainder(g, args):
    x, period = args
    quotient = g.apply("floor", g.apply("div", x, period))
    rest = g.apply("sub", x, g.apply("mul", quotient, period))
    # next to a multiple a rounding moves the quotient across it: 49 (1 / 49) is less than 1
    above = g.apply("less_equal", g.apply("abs", period), g.apply("abs", rest))
    below = g.apply("less", g.apply("mul", rest, period), g.constant(0.0))
    rest = g.apply("where", below, g.apply("add", rest, period), rest)
    return g.apply("where", above, g.apply("sub", rest, period), rest)


def _sign(g, args):
    zero, one = g.constant(0.0), g.constant(1.0)
    above = g.apply("where", g.apply("less", zero, args[0]), one, zero)
    return g.apply("where", g.apply("less", args[0], zero), g.constant(-1.0), above)


SIMPLIFY = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "where": _where, "greater": _greater("less"),
    "greater_equal": _greater("less_equal"), "power": _power, "and": _and, "or": _or, "expm1": _expm1,
    "log1p": _log1p, "sinh": _sinh, "remainder": _remainder, "sign": _sign,
    "arctanh": _arctanh,
    "square": lambda g, args: g.apply("mul", args[0], args[0]), "positive": lambda g, args: args[0],
}  # fmt: skip
