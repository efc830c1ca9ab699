"""asv suites of numepi: see README.md beside this file."""

import os

# Before NumPy is loaded: OpenBLAS's threads wait by spinning, and on busy cores small products then take 20 times as
# long.  The autograd definitions that kernels are measured against shall not lose by that.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
