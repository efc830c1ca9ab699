"""Whether a GPU can be used: what is missing is named with its remedy."""

from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

import numpy as np

__all__ = ["require_device"]

_ARRAYS = "numba.cuda.np.arrayobj"  # numba-cuda's module of array functions


def require_device():
    """Raise unless numba-cuda, a driver and a device are there.

    Raises
    ------
    ImportError
        If numba-cuda is not installed, finds no CUDA libraries, or is older than the NumPy beside it.  The
        ``numba.cuda`` that comes with numba itself is deprecated, and never used.
    RuntimeError
        If there is no driver or no device.
    """
    if find_spec("numba_cuda") is None:
        raise ImportError(
            "device='cuda' needs the package numba-cuda: pip install 'numepi[cuda12]' or 'numepi[cuda13]', whichever "
            "CUDA version nvidia-smi shows; or use device='cpu'"
        )
    try:
        from numba import cuda
    except (ImportError, RuntimeError) as error:  # DynamicLibNotFoundError is a RuntimeError
        raise ImportError(
            f"numba-cuda is installed, but not the CUDA libraries it needs ({error}): pip install 'numepi[cuda12]' or "
            "'numepi[cuda13]', whichever CUDA version nvidia-smi shows; or use device='cpu'"
        ) from error
    _require_numpy()
    if not cuda.is_available():
        reason = " ".join(str(cuda.cuda_error() or "no device found").split())
        raise RuntimeError(
            f"device='cuda', but there is no usable NVIDIA driver or GPU ({reason}): "
            "check that nvidia-smi lists one and that CUDA_VISIBLE_DEVICES does not hide it; or use device='cpu'"
        )


def _require_numpy():
    """Raise where NumPy has lost what numba-cuda uses of it, which shows when the first kernel is compiled."""
    try:
        import_module(_ARRAYS)
    except AttributeError as error:
        raise ImportError(
            f"numba-cuda {version('numba-cuda')} does not work with numpy {np.__version__} ({error}): "
            "pip install 'numpy<2.5' or a newer numba-cuda; or use device='cpu'"
        ) from error
    except ModuleNotFoundError:  # the simulator has none
        return
