"""Whether a GPU can be used: what is missing is named with its remedy."""

from importlib.util import find_spec

__all__ = ["require_device"]


def require_device():
    """Raise unless numba-cuda, a driver and a device are there.

    Raises
    ------
    ImportError
        If numba-cuda is not installed or finds no CUDA libraries.  The ``numba.cuda`` that comes with numba itself is
        deprecated, and never used.
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
    if not cuda.is_available():
        reason = " ".join(str(cuda.cuda_error() or "no device found").split())
        raise RuntimeError(
            f"device='cuda', but there is no usable NVIDIA driver or GPU ({reason}): "
            "check that nvidia-smi lists one and that CUDA_VISIBLE_DEVICES does not hide it; or use device='cpu'"
        )
