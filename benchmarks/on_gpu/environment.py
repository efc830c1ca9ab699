"""An environment on a machine without a network: what the machine has, under what a folder of wheels holds."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

__all__ = ["install", "joined", "versions"]

_NAMES = (
    "numpy", "numba", "llvmlite", "numba-cuda", "cuda-bindings", "cuda-core", "scipy", "autograd", "matplotlib",
)  # fmt: skip


def joined(folder, scratch):
    """Wheels of a folder; those cut into ``NAME.whl.part0``, ``NAME.whl.part1``, ... are joined in ``scratch``."""
    wheels = sorted(folder.glob("*.whl"))
    for first in sorted(folder.glob("*.whl.part0")):
        whole, i = scratch / first.stem, 0
        with whole.open("wb") as file:
            while (part := first.with_suffix(f".part{i}")).exists():
                file.write(part.read_bytes())
                i += 1
        wheels.append(whole)
    return wheels


def install(folder, scratch):
    """Install a folder of wheels; return the environment variables under which they go before the machine's own."""
    site = scratch / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", "--no-compile"]
    wheels = [str(wheel) for wheel in joined(Path(folder), scratch)]
    if not wheels:
        raise FileNotFoundError(f"--wheels {folder}: no *.whl there")
    subprocess.run([*command, "--target", str(site), *wheels], check=True)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))}


def versions():
    """Version of every package that matters, and of Python; None for one that is missing."""
    found = {"python": sys.version.split()[0]}
    for name in _NAMES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    return found
