"""The linearised graph of scalars, simplified before directions are applied.

The derivative of a node is kept as a linear form of *bases*: active inputs, and nodes whose tangent is stored.  A chain
of operations with one active argument collapses into one coefficient, which all directions share; sums stay linear
forms.  A tangent is stored only for a node of several bases that is used more than once, or of many in a product, and
for selections whose sides might not be finite: those are selected as tangents, never multiplied by zero.
"""

from collections import Counter

from numepi.circuits.dynamics.rules import selection, weights

__all__ = ["Linearisation"]

# With these alone, finite inputs of ordinary size give finite coefficients.
_SAFE = {
    "constant", "input", "add", "sub", "neg", "mul", "tanh", "sigmoid", "sin", "cos", "maximum", "minimum", "where",
    "less", "less_equal", "equal", "and", "or", "not", "abs", "floor", "stop", "finite",
}  # fmt: skip

# Sums of so many bases are multiplied out where one product alone uses them: all directions share the products, and a
# state's own tangent joins what is there already.  In float32 the STG takes 1.06 of the hand-written time, and
# 1.11 with the tangents of these sums stored; V1's sums of five gain nothing (benchmarks/bench_dynamics.py).
_SHORT = 3


class Linearisation:
    """Derivatives of ``outputs`` by the inputs ``active``, symbolic in the tangents of the inputs.

    Parameters
    ----------
    graph : Graph
        Of scalars.
    outputs : sequence of int
    active : set of int
    """

    def __init__(self, graph, outputs, active):
        self.graph, self.active = graph, active
        self.form, self.stored, self.selected, self._safe = {}, {}, {}, {}
        live = graph.live(outputs)
        self.uses = Counter(a for i in live for a in set(graph.nodes[i].args))
        self.uses.update(outputs)
        one = graph.constant(1.0)
        for i in live:
            form = self._form(i)
            if len(form) > 1 and self.uses[i] > 1:
                self.stored[i] = form
                form = {i: one}
            self.form[i] = form

    def inputs(self, i, known):
        """Active inputs that the node depends on; ``known`` remembers."""
        if i not in known:
            if i in self.active:
                known[i] = {i}
            elif i in self.selected:
                known[i] = set().union(*(self.inputs(b, known) for form in self.selected[i][1:] for b in form))
            else:
                form = self.stored.get(i, self.form[i])
                known[i] = set().union(*(self.inputs(b, known) for b in form))
        return known[i]

    def tangent(self, i, seeds, known):
        """The node of a tangent, or None where it is zero.

        ``seeds`` gives the tangent of active inputs that move; ``known`` remembers, one dict for each direction.
        """
        return self._total(self.form[i], seeds, known)

    def _of_base(self, base, seeds, known):
        if base in self.active:
            return seeds.get(base)
        if base not in known:
            if base in self.selected:
                condition, *sides = self.selected[base]
                sides = [self._total(form, seeds, known) for form in sides]
                if all(side is None for side in sides):
                    known[base] = None
                else:
                    zero = self.graph.constant(0.0)
                    known[base] = self.graph.apply("where", condition, *(zero if s is None else s for s in sides))
            else:
                known[base] = self._total(self.stored[base], seeds, known)
        return known[base]

    def _total(self, form, seeds, known):
        total = None
        for base, coefficient in form.items():
            move = self._of_base(base, seeds, known)
            if move is None or self.graph.value(coefficient) == 0:
                continue
            part = self.graph.apply("mul", coefficient, move)
            total = part if total is None else self.graph.apply("add", total, part)
        return total

    def _is_short(self, i):
        """Whether a product multiplies the coefficients of a form, once for all directions, and stores no tangent."""
        return len(self.form[i]) <= _SHORT and self.uses[i] == 1

    def _base(self, i):
        """The form of a node that enters a product: one base at the most."""
        if len(self.form[i]) > 1:
            self.stored[i] = self.form[i]
            self.form[i] = {i: self.graph.constant(1.0)}
        return self.form[i]

    def _form(self, i):
        g = self.graph
        if i in self.active:
            return {i: g.constant(1.0)}
        args = g.nodes[i].args
        if not any(self.form[a] for a in args):
            return {}
        chosen = selection(g, i)
        if chosen is not None:
            return self._selection(i, *chosen)
        partials = weights(g, i)
        if partials is None:
            return {}
        form = {}
        for a, weight in zip(args, partials):
            if self.form[a]:
                own = self.form[a] if g.value(weight) is not None or self._is_short(a) else self._base(a)
                for base, coefficient in own.items():
                    part = g.apply("mul", coefficient, weight)
                    form[base] = g.apply("add", form[base], part) if base in form else part
        return form

    def _selection(self, i, condition, if_true, if_false):
        g, zero = self.graph, self.graph.constant(0.0)
        first, second = self.form[if_true], self.form[if_false]
        if not first and not second:
            return {}
        if self._is_safe_form(first) and self._is_safe_form(second):
            first, second = self._base(if_true), self._base(if_false)
            return {b: g.apply("where", condition, first.get(b, zero), second.get(b, zero)) for b in first | second}
        self.selected[i] = condition, first, second
        return {i: g.constant(1.0)}

    def _is_safe_form(self, form):
        return all(
            self._is_safe(coefficient)
            and (base in self.active or (base in self.stored and self._is_safe_form(self.stored[base])))
            for base, coefficient in form.items()
        )

    def _is_safe(self, i):
        if i not in self._safe:
            node = self.graph.nodes[i]
            self._safe[i] = node.op in _SAFE and all(self._is_safe(a) for a in node.args)
        return self._safe[i]
