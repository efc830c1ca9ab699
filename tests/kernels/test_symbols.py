"""A kernel runs its own code of the functions that it calls, whatever else its process has compiled or loaded."""

import numpy as np
import pytest
from llvmlite.binding import Linkage
from numba import njit

from numepi.flow.networks.mlp import MLP
from numepi.flow.networks.mlp_kernels import mlp_run
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import kernel, vector_kernel
from numepi.kernels.symbols import KernelCompiler


def _twice(w, widths, tape):
    mlp_run(w, widths, tape)
    mlp_run(w, widths, tape)


def test_functions_that_a_kernel_calls_are_symbols_of_its_own():
    network = MLP(2, (4,), 1)
    widths, theta = network.padded_widths, network.initial_parameters(np.random.default_rng(0))
    compiled = njit(_twice, pipeline_class=KernelCompiler)  # and not stored: what is loaded cannot be inspected
    compiled(network.pack(theta[None], np.dtype(np.float64))[0], widths, np.zeros((widths.sum(), LANES)))
    [result] = compiled.overloads.values()
    functions = list(result.library.get_defined_functions())
    assert any("mlp_run" in each.name for each in functions)  # else it was inlined, and there is nothing to see
    assert not any(each.linkage == Linkage.linkonce_odr for each in functions)


@pytest.mark.parametrize("decorate", [kernel, vector_kernel])
def test_every_kernel_is_compiled_so(decorate):
    assert decorate(lambda x: x)._compiler.pipeline_class is KernelCompiler
