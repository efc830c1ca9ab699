"""Scalar functions of the circuits as CUDA device functions, compiled from the same source.

Numba-cuda can call functions compiled for the CPU, but it takes their option "contract multiply-adds" for *all* of fast
math: approximate division, and NaN assumed away.  So each function is built anew from its Python source, with every
compiled function that it calls replaced, and no options but inlining.

Import this module only where numba-cuda is installed.
"""

from functools import cache
from types import CellType, CodeType, FunctionType

import numba
from numba import cuda
from numba.core.dispatcher import Dispatcher
from numba.cuda.extending import overload

from numepi.kernels.fastmath import precisions_of

__all__ = ["device_function", "inlined"]

# the simulator's decorator knows no such option
_OPTIONS = {} if numba.config.ENABLE_CUDASIM else {"forceinline": True}


def inlined(function):
    """Compile a Python function for calls from kernels."""
    return cuda.jit(function, device=True, **_OPTIONS)


@cache
def device_function(function, takes_arrays=False):
    """Return the CUDA version of a compiled ``scalar`` or ``block_function``.

    In the simulator scalar functions are the compiled originals (in Python they would only be slower); what takes
    arrays, every ``block_function`` and those of which ``takes_arrays`` says so, is Python there, as compiled functions
    know no simulated arrays.
    """
    if numba.config.ENABLE_CUDASIM and not takes_arrays and _is_scalar(function):
        return function
    if precisions_of(function) is not None:
        return _chosen_by_precision(*precisions_of(function))
    return inlined(_source(function))


def _is_scalar(function):
    return precisions_of(function) is not None or function.targetoptions.get("forceinline", False)


def _chosen_by_precision(double, single):
    def function(*arguments):
        raise TypeError("a function of device code was called from Python")

    def choose(*arguments):
        return _source(single if arguments[-1] == numba.types.float32 else double)

    overload(function, strict=False, jit_options=_OPTIONS)(choose)
    return function


@cache
def _source(dispatcher):
    """Return the Python function behind a dispatcher, in whose globals and closure all others are translated."""
    function = dispatcher.py_func
    names = set(_names(function.__code__))
    namespace = {name: _replaced(value) for name, value in function.__globals__.items() if name in names}
    cells = tuple(CellType(_replaced(cell.cell_contents)) for cell in function.__closure__ or ())
    # numba looks the module up for messages, and line numbers come with the code
    namespace |= {"__name__": function.__globals__["__name__"], "__builtins__": function.__globals__["__builtins__"]}
    copy = FunctionType(function.__code__, namespace, function.__name__, function.__defaults__, cells)
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    return copy


def _names(code):
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _replaced(value):
    if isinstance(value, Dispatcher) or precisions_of(value) is not None:
        return device_function(value)
    if numba.config.ENABLE_CUDASIM and hasattr(value, "_defn"):
        return _called_from_python(value)
    return value


@cache
def _called_from_python(intrinsic):
    """The simulator runs in Python, which cannot call an intrinsic: compile a function that does."""

    @numba.njit
    def call(*arguments):
        return intrinsic(*arguments)

    return call
