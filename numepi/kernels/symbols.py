"""Keeps to each compiled kernel the code of the functions that it calls.

Numba links a function that is not inlined into every kernel that calls it, as a weak symbol, and optimises it once more
there.  Its versions differ in which products and sums are fused, so in their last bits, and the loader gives all
kernels of a process the version that came first: in the process that compiles, the function's own; where kernels come
from the cache, that of the kernel which happened to be called first.  With symbols of its own a kernel runs the same
code in every process.
"""

from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler

__all__ = ["LINKAGE", "KernelCompiler"]

LINKAGE = "internal"  # of the functions that a kernel calls: no symbol that others see


class _KernelLibrary(JITCodeLibrary):
    """A kernel's machine code."""

    def _optimize_final_module(self):
        super()._optimize_final_module()
        for function in self._final_module.functions:
            if function.linkage == Linkage.linkonce_odr and not function.is_declaration:
                function.linkage = LINKAGE


class KernelCompiler(Compiler):
    """Numba's own compiler (its ``pipeline_class``), but for where the code goes."""

    def define_pipelines(self):
        """See numba."""
        library = _KernelLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        library.enable_object_caching()  # before it is filled, so that it can be stored
        self.state.library = library
        return super().define_pipelines()
