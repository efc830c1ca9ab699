"""Cost of random numbers and elementary functions on one core, against numba's own scalar ones."""

import math

import numpy as np

from benchmarks.side_by_side import ratio_of_times
from numepi.kernels import fastmath
from numepi.kernels.compile import kernel
from numepi.kernels.random import normals4, philox4x32

LANES, STEPS = 128, 2000


@kernel
def lane_words(out, k0, k1):
    for t in range(out.shape[0]):
        for lane in range(out.shape[2]):
            out[t, 0, lane], out[t, 1, lane], out[t, 2, lane], out[t, 3, lane] = philox4x32(lane, 0, t, 0, k0, k1)


@kernel
def lane_normals(out, k0, k1):
    for t in range(out.shape[0]):
        for lane in range(out.shape[2]):
            like = out[t, 0, lane]
            out[t, 0, lane], out[t, 1, lane], out[t, 2, lane], out[t, 3, lane] = normals4(lane, 0, t, 0, k0, k1, like)


@kernel
def scalar_normals(out):
    for i in range(out.size):
        out[i] = np.random.standard_normal()  # noqa: NPY002 - the numba generator that numepi is compared with


@kernel
def fast_elementary(x, out):
    for i in range(len(x)):
        out[0, i] = fastmath.tanh(x[i])
        out[1, i] = fastmath.exp(x[i])
        out[2, i] = fastmath.log(x[i])


@kernel
def scalar_elementary(x, out):
    for i in range(len(x)):
        out[0, i] = math.tanh(x[i])
        out[1, i] = math.exp(x[i])
        out[2, i] = math.log(x[i])


class RandomNumbers:
    """A million normals, or words, by lanes."""

    params = ("float64", "float32")
    param_names = ("precision",)

    def setup(self, precision):
        self.out = np.zeros((STEPS, 4, LANES), precision)
        self.words = np.zeros((STEPS, 4, LANES), np.uint64)
        self.flat = np.zeros(self.out.size)
        lane_normals(self.out, 1, 2), lane_words(self.words, 1, 2), scalar_normals(self.flat)

    def time_normals(self, precision):
        lane_normals(self.out, 1, 2)

    def time_words(self, precision):
        lane_words(self.words, 1, 2)

    def track_speed_up_over_scalar_normals(self, precision):
        return ratio_of_times(lambda: scalar_normals(self.flat), lambda: lane_normals(self.out, 1, 2))

    track_speed_up_over_scalar_normals.unit = "x"


class ElementaryFunctions:
    """tanh, exp and log of 4096 numbers."""

    params = ("float64", "float32")
    param_names = ("precision",)

    def setup(self, precision):
        self.x = np.random.default_rng(0).uniform(0.1, 4, 4096).astype(precision)
        self.out = np.empty((3, 4096), precision)
        fast_elementary(self.x, self.out), scalar_elementary(self.x, self.out)

    def time_fast(self, precision):
        fast_elementary(self.x, self.out)

    def track_speed_up_over_scalar_calls(self, precision):
        slow, fast = (lambda f=f: f(self.x, self.out) for f in (scalar_elementary, fast_elementary))
        return ratio_of_times(slow, fast)

    track_speed_up_over_scalar_calls.unit = "x"
