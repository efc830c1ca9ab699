"""Derivatives of the traced operations, as further nodes of the graph."""

import math

__all__ = ["derivative", "selection", "weights"]

_CONSTANT = ("constant", "input", "less", "less_equal", "equal", "and", "or", "not", "stop", "floor", "finite", "host")


def weights(g, i):
    """Partial derivatives of an elementwise node by its arguments, as nodes; None: it has none.

    ``where``, ``maximum`` and ``minimum`` select a tangent and have no weights: see `selection`.
    The derivative of a square root at zero is reported as zero, that of an absolute value, too.
    """
    op, args, _, _ = g.nodes[i]
    if op in _CONSTANT:
        return None
    one = g.constant(1.0)
    x = args[0]
    if op in ("add", "sub"):
        return one, g.constant(1.0 if op == "add" else -1.0)
    if op == "mul":
        return args[1], x
    if op == "div":
        inverse = g.apply("div", one, args[1])
        return inverse, g.apply("neg", g.apply("mul", i, inverse))
    if op == "neg":
        return (g.constant(-1.0),)
    if op == "graze":
        return g.apply("where", args[1], g.constant(math.nan), one), g.constant(0.0)
    if op == "exp":
        return (i,)
    if op == "log":
        return (g.apply("div", one, x),)
    if op == "tanh":
        return (g.apply("sub", one, g.apply("mul", i, i)),)
    if op == "sigmoid":
        return (g.apply("sub", i, g.apply("mul", i, i)),)
    if op == "sqrt":
        above = g.apply("less", g.constant(0.0), i)
        return (g.apply("where", above, g.apply("div", g.constant(0.5), i), g.constant(0.0)),)
    if op == "sin":
        return (g.apply("cos", x),)
    if op == "cos":
        return (g.apply("neg", g.apply("sin", x)),)
    if op == "cosh":
        return (g.apply("sinh", x),)
    if op == "abs":
        return (g.apply("sign", x),)
    raise NotImplementedError(op)


def selection(g, i):
    """(condition, argument if it holds, argument if not) of a node that selects one of its arguments, else None."""
    op, args, _, _ = g.nodes[i]
    if op == "where":
        return args
    if op in ("maximum", "minimum"):
        a, b = args
        return (g.apply("less", a, b), b, a) if op == "maximum" else (g.apply("less", b, a), b, a)
    return None


def derivative(g, outputs, seeds):
    """Directional derivatives of nodes of any shape.

    Parameters
    ----------
    g : Graph
    outputs : sequence of int
    seeds : dict
        Tangent (a node of the same shape) of each input that moves.

    Returns
    -------
    list of int or None
        None where an output does not move at all.
    """
    tangent = dict(seeds)
    for i in g.live(outputs):
        if i not in tangent:
            tangent[i] = _tangent(g, i, [tangent.get(a) for a in g.nodes[i].args])
    return [tangent[i] for i in outputs]


def _tangent(g, i, moves):
    if all(move is None for move in moves):
        return None
    op, args, attr, shape = g.nodes[i]
    zero = g.constant(0.0)
    if op == "gather":
        return g.gather(moves[0], g.index_of(i))
    if op == "concat":
        moves = [g.broadcast(zero, g.shape(a)) if move is None else move for a, move in zip(args, moves)]
        return g.concat(moves, shape)
    if op == "sum":
        return g.sum(moves[0], attr)
    if op == "matmul":
        left = None if moves[0] is None else g.matmul(moves[0], args[1])
        right = None if moves[1] is None else g.matmul(args[0], moves[1])
        return left if right is None else right if left is None else g.apply("add", left, right)
    chosen = selection(g, i)
    if chosen is not None:
        by_node = dict(zip(args, moves))
        if op == "where":
            sides = moves[1:]
        else:
            sides = [by_node[a] for a in chosen[1:]]
        if sides[0] is None and sides[1] is None:
            return None
        sides = [zero if side is None else side for side in sides]
        return g.broadcast(g.apply("where", chosen[0], *sides), shape)
    total = None
    for weight, move in zip(weights(g, i) or (), moves):
        if move is not None:
            part = g.apply("mul", weight, move)
            total = part if total is None else g.apply("add", total, part)
    return None if total is None else g.broadcast(total, shape)
