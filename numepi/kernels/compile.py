"""The one place that decides how numepi's kernels are compiled and cached.

The decorators, all lazy (nothing is compiled before the first call):

``scalar``
    a small function of scalars, inlined wherever it is called: a circuit's step, its tangent, ``exp``.
``kernel``
    a compiled function on arrays, one thread (which releases Python's lock: see `numepi.kernels.threads`).
``block_function``
    a larger function called from kernels, not inlined.

All of them keep IEEE semantics for NaN and infinity (a diverging simulation must be seen) and allow nothing but
fused multiply-adds.  ``vector_kernel`` also lets sums be re-associated, for reductions whose order the compiler fixes.

Compiled code is cached on disk as numba does (beside the source, else in the user's cache directory, or in
``NUMBA_CACHE_DIR``); where no directory can be written, kernels are compiled anew in each process.  Numba's own
cache does not notice a changed *callee* or constant in another module; this one does (see `_fingerprint`).
"""

import hashlib
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType

import numpy as np
from numba import config, njit, types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.dispatcher import Dispatcher
from numba.core.registry import CPUDispatcher

from numepi.kernels.symbols import LINKAGE, KernelCompiler

__all__ = ["SCALAR_OPTIONS", "block_function", "kernel", "scalar", "vector_kernel"]

_COMMON = {"error_model": "numpy", "nogil": True, "fastmath": {"contract"}}
# Wrappers for calls from Python cost as much to compile as the function itself.
_NO_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
SCALAR_OPTIONS = _COMMON | _NO_WRAPPERS | {"forceinline": True}


def _enabled(call):
    """``call`` with just-in-time compilation on: numba's own overloads, too, are then compiled where ours need them."""

    def enabled(*arguments, **keywords):
        disabled, config.DISABLE_JIT = config.DISABLE_JIT, 0
        try:
            return call(*arguments, **keywords)
        finally:
            config.DISABLE_JIT = disabled

    return enabled


class _Inner(CPUDispatcher):
    """A function compiled for calls from kernels; called from Python it is compiled once more, with a wrapper."""

    def __call__(self, *arguments):
        if not hasattr(self, "_outer"):
            self._outer = _entry(self.py_func, **_COMMON)
        return self._outer(*arguments)


def _compiled(function, **options):
    """Numba's dispatcher of ``function``, even under ``NUMBA_DISABLE_JIT``: kernels call what exists compiled only."""
    dispatcher = _enabled(njit)(function, **options)
    if config.DISABLE_JIT:
        dispatcher.compile = _enabled(dispatcher.compile)
    return dispatcher


def _entry(function, **options):
    """Of what Python calls: the code of the functions that it calls is its own."""
    return _compiled(function, **options, pipeline_class=KernelCompiler)


def _inner(function, **options):
    dispatcher = _compiled(function, **options)
    dispatcher.__class__ = _Inner  # numba has no public way to choose the class
    return dispatcher


def scalar(function):
    """Compile a scalar function that is inlined into every kernel that calls it."""
    return _inner(function, **SCALAR_OPTIONS)


def kernel(function, name=None):
    """Compile and cache a single-threaded kernel.

    ``name`` tells apart the kernels that one factory makes, in the cache and in profiles.
    """
    if name is not None:
        function.__name__ = function.__qualname__ = name
    return _cached(_entry(function, **_COMMON))


def vector_kernel(function):
    """As `kernel`, and sums may be re-associated so that reductions vectorise."""
    return _cached(_entry(function, **(_COMMON | {"fastmath": {"contract", "reassoc", "nsz"}})))


def block_function(function):
    """Compile a larger function that kernels call: not inlined, and cached with the kernel that calls it."""
    return _inner(function, **_COMMON, **_NO_WRAPPERS)


def _cached(dispatcher):
    try:
        dispatcher._cache = _KernelCache(dispatcher)
    except RuntimeError:  # numba found no directory that it may write: compile in memory, every process anew
        return dispatcher
    return dispatcher


class _KernelCache(FunctionCache):
    def __init__(self, dispatcher):
        super().__init__(dispatcher.py_func)
        self._cache_file = _CacheFile(self._cache_path, self._impl.filename_base, None)
        self._cache_file.dispatcher = dispatcher

    def _index_key(self, sig, codegen):
        # Numba's key also pickles the closure, which differs in each process; our stamp covers it.  But it knows a
        # NamedTuple by its class alone: fields that changed places would go unnoticed.
        fields = tuple(argument.fields for argument in sig if isinstance(argument, types.BaseNamedTuple))
        return sig, fields, codegen.magic_tuple()

    def save_overload(self, sig, data):
        # A full or read-only disk costs compilation in the next process, not the answer in this one.
        with suppress(OSError):
            super().save_overload(sig, data)


class _CacheFile(IndexDataCacheFile):
    """Cache entries stamped with everything that went into them, and safe when several processes write at once."""

    @property
    def _source_stamp(self):
        # Asked for at the first call, not at decoration: by then every function of the module is defined.
        digest = hashlib.sha256(LINKAGE.encode())
        _fingerprint(self.dispatcher, digest, set())
        return digest.hexdigest()

    @_source_stamp.setter
    def _source_stamp(self, value):
        """The base class assigns its file stamp here; ours is derived."""

    def _load_index(self):
        # Unpickling fails in as many ways as there are classes since renamed and files cut short: compile anew.
        try:
            return super()._load_index()
        except Exception:
            return {}

    def _load_data(self, name):
        try:
            return super()._load_data(name)
        except Exception:
            return None

    def save(self, key, data):
        # Named by content key: two processes that compile different signatures never share a data file.
        name = self._data_name_pattern.format(number=int(hashlib.sha256(repr(key).encode()).hexdigest()[:12], 16))
        self._save_data(name, data)
        overloads = self._load_index()
        overloads[key] = name
        self._save_index(overloads)


def _fingerprint(value, digest, seen):
    """Feed ``digest`` with a function's code, the numepi functions it calls and the constants it reads."""
    if isinstance(value, Dispatcher):
        options = value.targetoptions
        fast = options.get("fastmath")  # a set of flags in numepi; a user's function may have True, or a dict
        flags = sorted(fast) if isinstance(fast, set) else repr(fast)  # a set's order differs in each process
        digest.update(repr([options.get("parallel"), options.get("forceinline"), flags]).encode())
        value = value.py_func
    value = getattr(value, "_defn", value)  # an intrinsic's definition
    if isinstance(value, FunctionType):
        if value in seen:
            return
        seen.add(value)
        for cell in value.__closure__ or ():
            _fingerprint(cell.cell_contents, digest, seen)
        _fingerprint_code(value.__code__, value.__globals__, digest, seen)
    elif isinstance(value, tuple):
        for item in value:
            _fingerprint(item, digest, seen)
    elif isinstance(value, np.ndarray):
        digest.update(value.tobytes())
    elif isinstance(value, (int, float, str, bool, np.generic, type)):
        digest.update(repr(value).encode())


def _fingerprint_code(code, namespace, digest, seen):
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):  # a function within the function
            _fingerprint_code(constant, namespace, digest, seen)
        else:
            digest.update(repr(constant).encode())
    for name in code.co_names:
        used = namespace.get(name)
        if isinstance(used, ModuleType) and used.__name__.startswith("numepi"):
            for attribute in code.co_names:
                _fingerprint(getattr(used, attribute, None), digest, seen)
        else:
            _fingerprint(used, digest, seen)
