"""A user's own statistics function as a circuit: NumPy in, Jacobian by autograd or given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import (
    check_flag,
    check_indices,
    check_instance,
    check_names,
    check_text,
    filled,
    shown,
)
from numepi.circuits.base import Circuit
from numepi.circuits.definition import check_vectors
from numepi.circuits.row_by_row import row_by_row
from numepi.differentiation import autograd_errors_named, forward_where_not_finite
from numepi.identity import identity
from numepi.support import Support

__all__ = ["FunctionCircuit"]


class FunctionCircuit(Circuit):
    """The circuit whose statistics a Python function computes.

    Parameters
    ----------
    function : callable
        ``function(z) -> f``, or ``function(z, rng) -> f`` when it has an argument called ``rng``: z (n, D) float64,
        f (n, k) real; row i of f must depend on row i of z alone.  ``rng`` is a `numpy.random.Generator`, made anew
        for each call from the key and ``first_index``: the same call gives the same numbers, so differences under
        common random numbers work.  Unlike numepi's own circuits the noise of a row then depends on the rows before
        it; only a deterministic function gives the same numbers in any batch.  With ``vectorised=False`` it takes one
        parameter set, z (D,), and returns f (k,), or a number where k = 1.
    support : numepi.Support
    parameter_names, statistic_names : sequence of str, optional
        Default z1, z2, ... and f1, f2, ...; without statistic names the function is called once, on two rows, to count
        them.
    jacobian : callable, optional
        The same arguments -> df/dz (n, k, D), or (k, D) with ``vectorised=False``.  Without it the function must be
        written with `autograd.numpy`.
    differentiable : bool, optional
        False for a statistic without derivatives (a count, say): solvers that need a Jacobian then refuse the circuit.
        By default True, but with ``vectorised=False`` only if there is a jacobian.
    sign_symmetries : sequence of sequences of str
        Sets of parameters, by name, whose joint change of sign leaves the distribution of the statistics alone.  The
        dual solver then learns one mode of those that are images of each other (`numepi.SymmetricFlow`).
    parameter_vectors : int
        Number of vectors of equal length that the parameters join, where the statistics depend on norms and overlaps
        of these: solvers then choose flows that move whole vectors (`numepi.DirectionalFlow`, `numepi.LensFlow`).
    vectorised : bool
        False for a simulator of one parameter set, which is called row by row.  Row i then has a generator of its own,
        made from the key and ``first_index + i``: its noise is the same in any batch.  Rows run one after the other in
        this process, as numepi cannot know whether a simulator may run on several threads at once, nor whether it can
        be sent to other processes; ``infer(executor=ProcessPoolExecutor())`` says that it can, and sends the rows to
        all cores (docs/cluster.md).  In an inference a row that raises is a failed simulation (``on_error``).
    name : str
    version : str, optional
        What tells the function from others of its qualified name, in checkpoints and stored results: change it with the
        function.  Without one that is told from its code, the values that it closes over and those that are bound to it
        (`numepi.identity.identity`); where they cannot be compared, a checkpoint is not resumed.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> import numepi as ne
    >>> def ring(z):
    ...     return anp.sqrt(anp.sum(z**2, axis=1, keepdims=True))
    >>> circuit = ne.circuits.FunctionCircuit(ring, ne.Support([-2, -2], [2, 2]), statistic_names=["radius"])
    >>> circuit.statistics_and_jacobian([[0.6, 0.8]])
    (array([[1.]]), array([[[0.6, 0.8]]]))
    """

    def __init__(
        self,
        function: Callable[..., ArrayLike],
        support: Support,
        parameter_names: Sequence[str] | None = None,
        statistic_names: Sequence[str] | None = None,
        jacobian: Callable[..., ArrayLike] | None = None,
        differentiable: bool | None = None,
        sign_symmetries: Sequence[Sequence[str]] = (),
        name: str = "function",
        version: str | None = None,
        vectorised: bool = True,
        parameter_vectors: int = 1,
    ) -> None:
        for argument, value in (("function", function), ("jacobian", jacobian)):
            if not callable(value) and not (argument == "jacobian" and value is None):
                raise TypeError(f"{argument} is a {type(value).__name__}: expected a function of z (n, D)")
        check_instance("support", support, Support, "give a numepi.Support, such as numepi.Support([0, 0], [1, 2])")
        self.vectorised = check_flag("vectorised", vectorised)
        if not vectorised:
            self.rows_per_part = 1  # each call simulates one
        if differentiable is None:
            differentiable = vectorised or jacobian is not None
        check_flag("differentiable", differentiable)
        if differentiable and not vectorised and jacobian is None:
            raise ValueError("differentiable=True with vectorised=False: give a jacobian, autograd takes whole batches")
        if jacobian is not None and not differentiable:
            raise ValueError("differentiable=False but a jacobian is given: leave one of the two out")
        self.function, self.jacobian, self.support = function, jacobian, support
        self.differentiable, self.name, self.version = (
            differentiable,
            check_text("name", name),
            None if version is None else check_text("version", version),
        )
        self.parameter_names = (
            _numbered("z", support.dim)
            if parameter_names is None
            else check_names("parameter_names", parameter_names, support.dim)
        )
        if isinstance(sign_symmetries, str) or not isinstance(sign_symmetries, Iterable):
            raise TypeError(f"sign_symmetries = {shown(sign_symmetries)}: give sets of names, such as [('a', 'b')]")
        self.sign_symmetries = tuple(self._indices(each) for each in sign_symmetries)
        self.parameter_vectors = check_vectors("parameter_vectors", parameter_vectors, support.dim)
        self.statistic_names = ()
        if statistic_names is None:
            probe = support.rounded(support.probes(2))
            probed = (
                self._values(probe, np.random.default_rng(0)) if vectorised else self._rows(function, probe, (0,), 0)
            )
            count = probed.shape[1]
            self.statistic_names = _numbered("f", count)
        else:
            self.statistic_names = check_names("statistic_names", statistic_names)

    @property
    def settings(self) -> dict[str, Any]:
        """What defines the circuit, as plain values: functions by their `numepi.identity.identity`."""
        return {
            "function": identity(self.function, self.version),
            "jacobian": None if self.jacobian is None else identity(self.jacobian, self.version),
            "parameter_names": list(self.parameter_names),
            "statistic_names": list(self.statistic_names),
            "differentiable": self.differentiable,
            "sign_symmetries": [[self.parameter_names[i] for i in each] for each in self.sign_symmetries],
            "version": self.version,
        } | self._settings_beside_defaults

    @property
    def _settings_beside_defaults(self):
        beside = {} if self.vectorised else {"vectorised": False}
        return beside if self.parameter_vectors == 1 else beside | {"parameter_vectors": self.parameter_vectors}

    def _indices(self, names):
        if isinstance(names, str) or not isinstance(names, Iterable):
            raise TypeError(f"sign_symmetries has {names!r}: give sets of names, such as [({names!r},)]")
        return check_indices("sign_symmetries", tuple(names), self.parameter_names)

    def __repr__(self):
        return f"FunctionCircuit({_qualified_name(self.function)}, {self.support!r})"

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        def generator():
            return np.random.default_rng([*key, first_index])

        z = z.astype(np.float64)  # a copy: the function may write into its argument
        if not self.vectorised:
            f = self._rows(self.function, z, key, first_index)
            return f, self._rows(self.jacobian, z, key, first_index) if with_jacobian else None
        if not with_jacobian:
            return self._values(z, generator()), None
        if self.jacobian is None:
            return self._differentiate(z, generator())
        jacobian = _real_array("jacobian", self._call_function(self.jacobian, z.copy(), generator()))
        f = self._values(z, generator())
        expected = (len(z), f.shape[1], z.shape[1])
        if jacobian.shape != expected:
            raise ValueError(f"the jacobian returned shape {jacobian.shape}: expected (n, k, D) = {expected}")
        return f, jacobian

    def _rows(self, function, z, key, first_index):
        """What ``function`` returns of each row, stacked: f (n, k), or the jacobian (n, k, D)."""
        k = len(self.statistic_names) or None
        what, shape = ("jacobian", (k, z.shape[1])) if function is self.jacobian else ("statistics function", (k,))
        return row_by_row(function, z, key, first_index, what, shape)

    def _values(self, z, generator):
        n = len(z)
        f = _real_array("statistics function", self._call_function(self.function, z, generator))
        k = len(self.statistic_names)
        if f.ndim != 2 or f.shape[0] != n or f.shape[1] != (k or f.shape[1]) or f.shape[1] == 0:
            remedy = "; add an axis: f[:, None]" if f.shape == (n,) and k <= 1 else ""
            raise ValueError(
                f"the statistics function returned shape {f.shape}: expected (n, k) = ({n}, {k or 'k'}){remedy}"
            )
        return f

    def _differentiate(self, z, generator):
        from autograd.core import make_vjp

        state = generator.bit_generator.state
        f = self._values(z.copy(), generator)
        generator.bit_generator.state = state
        remedy = (
            "write it with autograd.numpy, without assignment to array elements; or give a jacobian; or say "
            "differentiable=False"
        )
        with autograd_errors_named(_qualified_name(self.function), remedy):
            pullback, _ = make_vjp(lambda x: self._call_function(self.function, x, generator), z)
            jacobian = np.empty((*f.shape, z.shape[1]))
            for statistic in range(f.shape[1]):
                # Rows do not mix, so one backward pass differentiates a statistic of all rows.
                seed = np.zeros_like(f)
                seed[:, statistic] = 1.0
                jacobian[:, statistic] = pullback(seed)

            def again(x):
                generator.bit_generator.state = state
                return self._call_function(self.function, x, generator)

            return f, forward_where_not_finite(again, z, jacobian)

    @staticmethod
    def _call_function(function, z, generator):
        if "rng" in inspect.signature(function).parameters:
            return function(z, rng=generator)
        return function(z)


def _qualified_name(function):
    function = getattr(function, "func", function)  # functools.partial
    return f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"


def _numbered(letter, count):
    return tuple(f"{letter}{i + 1}" for i in range(count))


def _real_array(what, value):
    try:
        value = value if np.ma.isMaskedArray(value) else np.asarray(value)
    except ValueError as error:
        raise ValueError(f"the {what} returned a ragged {type(value).__name__}: expected one array") from error
    if value.dtype.kind not in "biuf":
        raise TypeError(f"the {what} returned dtype {value.dtype}: expected real numbers")
    return filled(value)  # a copy: the function may keep its array
