"""Derivatives of a program's phases by the parameters, with the structure of what is zero."""

from numepi.circuits.dynamics.linear import Linearisation

__all__ = ["differentiate"]


def differentiate(phases, n_values, dim):
    """Derivatives of every phase by the parameters, only where they are not zero by structure.

    Parameters
    ----------
    phases : dict
        (graph, [(place, node)]) by name; "finish" gives results, the others carried values.
    n_values, dim : int

    Returns
    -------
    derivatives : dict
        For each phase a list over parameters of [(place, node)].
    patterns : list of frozenset
        The parameters by which each carried value has a derivative.
    """
    linear, reads = {}, {}
    for phase, (graph, outputs) in phases.items():
        active = {i for i, node in enumerate(graph.nodes) if node.op == "input" and node.attr[0] in ("value", "z")}
        linear[phase] = Linearisation(graph, [node for _, node in outputs], active)
        known = {}
        reads[phase] = [{graph.nodes[i].attr for i in linear[phase].inputs(node, known)} for _, node in outputs]
    patterns = [frozenset()] * n_values
    while True:
        new = list(patterns)
        for phase in phases.keys() - {"finish"}:
            for (place, _), inputs in zip(phases[phase][1], reads[phase]):
                for kind, key in inputs:
                    new[place] = new[place] | ({key} if kind == "z" else patterns[key])
        if new == patterns:
            break
        patterns = new
    derivatives = {}
    for phase, (graph, outputs) in phases.items():
        derivatives[phase] = [_direction(phase, graph, outputs, linear[phase], patterns, p) for p in range(dim)]
    return derivatives, patterns


def _direction(phase, graph, outputs, linear, patterns, p):
    seeds = {}
    for i in list(linear.active):
        kind, key = graph.nodes[i].attr
        if kind == "z" and key == p:
            seeds[i] = graph.constant(1.0)
        elif kind == "value" and p in patterns[key]:
            seeds[i] = graph.input("tangent", (p, key))
    known, pairs = {}, []
    for place, node in outputs:
        if phase != "finish" and p not in patterns[place]:
            continue
        tangent = linear.tangent(node, seeds, known)
        tangent = graph.constant(0.0) if tangent is None else tangent
        # what does not change need not be written; results are places of their own
        if phase == "finish" or graph.nodes[tangent].attr != ("tangent", (p, place)):
            pairs.append((place, tangent))
    return pairs
