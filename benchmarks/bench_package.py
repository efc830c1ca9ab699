"""What a user waits for before anything runs: import and cold compilation."""

import subprocess
import sys
import tempfile
import time


def _run(code, **environment):
    import os

    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | environment)
    return time.perf_counter() - start


class Import:
    """Seconds of a fresh interpreter."""

    unit = "s"

    def track_import(self):
        return min(_run("import numepi") for _ in range(3)) - min(_run("pass") for _ in range(3))

    def track_import_and_first_statistics_cold(self):
        code = "import numepi as ne; ne.circuits.LDS().statistics([[0., 1., -1., 0.]])"
        with tempfile.TemporaryDirectory() as cache:
            return _run(code, NUMBA_CACHE_DIR=cache)

    def track_import_and_first_statistics_cached(self):
        code = "import numepi as ne; ne.circuits.LDS().statistics([[0., 1., -1., 0.]])"
        with tempfile.TemporaryDirectory() as cache:
            _run(code, NUMBA_CACHE_DIR=cache)
            return _run(code, NUMBA_CACHE_DIR=cache)
