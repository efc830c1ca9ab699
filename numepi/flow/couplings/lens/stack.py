"""Lens couplings: one vector moves along the others, by how they lie, as a normal truncated to a box would."""

import autograd.numpy as anp
import numpy as np
from autograd import make_hvp, make_vjp

from numepi.flow.couplings.clamp import clamp
from numepi.flow.couplings.lens import kernels as lens_kernels
from numepi.flow.couplings.lens.basis import cholesky_rows, features_definition, n_features
from numepi.flow.couplings.lens.lenses import BOX, LOG_DEVIATION, LOG_DEVIATION_LIMIT
from numepi.flow.couplings.lens.overlaps import n_outputs
from numepi.flow.couplings.lens.truncated import MEAN_LIMIT, from_normal_definition, to_normal_definition
from numepi.flow.networks.mlp import MLP
from numepi.flow.passes.blocks import LANES
from numepi.flow.transform import Transform
from numepi.line_functions import ndtr

__all__ = ["LensStack"]


class LensStack(Transform):
    """Stages that each move one vector y of x = [x_1, ..., x_p] on the line, given the others.

    Where p* is uniform on a box times a function of the inner products of its vectors, a vector given the others is,
    but for that function's width, a truncated normal whose mean is a combination of them.  So directions are the places
    of the other vectors in the box [-1, 1], B_k = 2 Phi(x_k) - 1 (r = p - 1 of them), and a stage is

        w = T(y; m, l),   overlaps Q w and the rest of w move,   y <- T^-1(w; m', l'),

    T(.; m, l) the map that makes a normal of mean m and standard deviation e^l, truncated to the box, standard
    (`numepi.flow.couplings.lens.truncated`); m = sum_k c_k B_k, softly clamped; Q the orthonormal basis of B_1 ... B_r
    in this order.  The overlaps move in turn, each by those before it and by how the rest alone would lie in the box,
    which is what decides on inner products there (`numepi.flow.couplings.lens.overlaps`).  All numbers come from an MLP
    whose inputs are the lengths and angles of the B (`numepi.flow.couplings.lens.basis.features`): nothing tells one
    component of the vectors from another, and the number of parameters does not depend on their length N.

    log|det dy/dx| = (N - r) sigma + sum s + the log slopes of both T.

    Parameters
    ----------
    vectors, length : int
        p >= 2 and N > p - 1: D = p N.
    stages : int
        They move the last vector, the one before it, ..., the first, the last again, ...
    hidden : tuple of int
        Units of each hidden layer of a stage's MLP.
    precision : "float64" or "float32"
        What the networks compute in; the rest is float64, which keeps what is near the bounds.
    """

    def __init__(self, vectors, length, stages, hidden, precision):
        super().__init__(vectors * length)
        self.vectors, self.length, self.n_stages = vectors, length, stages
        r = vectors - 1
        self.network = MLP(n_features(r), hidden, 2 * r + 2 + n_outputs(r))
        self.n_parameters = stages * self.network.n_parameters
        self.dtype = np.dtype(precision)
        self.unit = (length / 3) ** 0.5  # of norms: that of a uniform vector
        self._order = vectors - 1 - np.arange(stages) % vectors
        self._rows = int(self.network.padded_widths.sum())
        self.tape_size = self.dim + stages * (self._rows + 4 * length)

    def forward(self, theta, x):
        """Y (n, D) and log|det dy/dx| (n,): the definition."""
        return self._through_stages(theta, x, inverse=False)

    def inverse(self, theta, y):
        """X (n, D) and log|det dy/dx| (n,): the definition."""
        return self._through_stages(theta, y, inverse=True)

    def _through_stages(self, theta, x, inverse):
        networks = anp.reshape(theta, (self.n_stages, self.network.n_parameters))
        state = [x[:, k * self.length : (k + 1) * self.length] for k in range(self.vectors)]
        log_det = 0.0
        for stage in range(self.n_stages)[:: -1 if inverse else 1]:
            moved = self._order[stage]
            others = [2 * ndtr(v) - 1 for v in state[:moved] + state[moved + 1 :]]
            state[moved], more = self._stage(networks[stage], others, state[moved], inverse)
            log_det = log_det + more
        return anp.concatenate(state, axis=1), log_det

    def _stage(self, network, others, y, inverse):
        directions = anp.stack(others, axis=1)
        r = len(others)
        triangle = cholesky_rows(anp.einsum("nij,nkj->nik", directions, directions))
        outputs = self.network(network, features_definition(triangle, self.unit))
        lenses = [_lens(outputs[:, k : k + r + 1], others) for k in (0, r + 1)]
        w, slope = to_normal_definition(y, *lenses[int(inverse)])
        log_det = (-1 if inverse else 1) * anp.sum(slope, axis=1)
        w, more = self._move(outputs[:, 2 * r + 2 :], _basis(triangle, others), lenses[1], w, inverse)
        y, slope = from_normal_definition(w, *lenses[int(not inverse)])
        return y, log_det + more + (1 if inverse else -1) * anp.sum(slope, axis=1)

    def _move(self, outputs, basis, lens, w, inverse):
        """Overlaps and the rest of a standard vector: see `numepi.flow.couplings.lens.overlaps`."""
        r = len(basis)
        t, s, kappa = (outputs[:, 1 + k * r : 1 + (k + 1) * r] for k in range(3))
        sigma, slopes = clamp(outputs[:, :1]), outputs[:, 1 + 3 * r :]
        here, there, log_det = [anp.sum(q * w, axis=1) for q in basis], [], (self.length - r) * sigma[:, 0]
        rest = w - sum(x[:, None] * q for x, q in zip(here, basis))
        above = rest if inverse else anp.exp(sigma) * rest  # at the support's side
        shadow = 2 * ndtr(from_normal_definition(above, *lens)[0]) - 1
        for k in range(r):
            before, row = (there if inverse else here)[:k], k * (k - 1) // 2
            shift = t[:, k] + sum((slopes[:, row + j] * x for j, x in enumerate(before)), 0.0)
            shift = shift - kappa[:, k] * anp.sum(basis[k] * shadow, axis=1)
            scale = anp.exp(clamp(s[:, k]))
            there.append((here[k] - shift) / scale if inverse else scale * here[k] + shift)
            log_det = log_det + clamp(s[:, k])
        rest = anp.exp(-sigma) * rest if inverse else above
        return rest + sum(x[:, None] * q for x, q in zip(there, basis)), log_det

    def pack(self, theta):
        """Theta, and the padded networks' parameters (stages, packed size)."""
        networks = np.reshape(theta, (self.n_stages, self.network.n_parameters))
        return theta, self.network.pack(networks, self.dtype)

    def initial_parameters(self, generator):
        """Identity."""
        return np.concatenate([self.network.initial_parameters(generator) for _ in range(self.n_stages)])

    def layout(self):
        """See `Transform`."""
        return [(f"{stage}.{name}", shape) for stage in range(self.n_stages) for name, shape in self.network.layout()]

    def new_gradient(self, groups):
        """See `Transform`: in the padded networks' layout and the precision of the networks."""
        return np.zeros((groups, self.n_stages * self.network.packed_size), self.dtype)

    def total_gradient(self, partial):
        """See `Transform`."""
        total = partial.sum(axis=0, dtype=np.float64)
        return total.reshape(self.n_stages, -1)[:, self.network.packed_index].ravel()

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape holds input and output, the moved vectors' steps, and the networks' rows."""
        x = x.astype(np.float64, copy=False)
        y = np.empty_like(x)
        trail = np.empty((len(x), self.n_stages, 4, self.length, LANES))
        rows = np.empty((len(x), self.n_stages, self._rows, LANES), self.dtype)
        lens_kernels.run(
            parameters[1], self.network.padded_widths, self._order, self.unit, x, y, trail, rows, log_q,
            self._state(2), self._box(), self._small(4 * self.vectors - 3, 1), inverse,
        )  # fmt: skip
        return y, (x, y, trail, rows)

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        _, y, trail, rows = tape
        grad_input = np.empty_like(y)
        lens_kernels.pull(
            parameters[1], self.network.padded_widths, self._order, self.unit, y, trail, rows,
            grad_output.astype(np.float64, copy=False), grad_log_q, grad_input,
            partial if group else np.empty((1, 0), self.dtype), self._state(4), self._box(),
            np.empty((2, self.length, LANES)),
            self._small(8 * self.vectors - 6 + self.network.widths[-1], 2), self._buffers(), inverse, group,
        )  # fmt: skip
        return grad_input

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`: by the definition, the derivative of the pullback, which is linear in its cotangent."""
        y, dy = _rows(tape[0]), _rows(tangent_input)
        pull, _ = make_vjp(lambda y: self.inverse(parameters[0], y)[0])(y)
        tangent, _ = make_vjp(pull)(np.zeros_like(y))
        return _blocks(tangent(dy)), tangent_input

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`: by the definition."""
        y, dy = _rows(tape[0]), _rows(tangent_tape)
        grad, weight = _rows(grad_output), grad_log_q.ravel()

        def value(y, grad, weight):
            x, log_det = self.inverse(parameters[0], y)
            return anp.sum(x * grad) - anp.sum(log_det * weight)

        first = make_vjp(lambda y: value(y, grad, weight))(y)[0](1.0)
        second = make_vjp(lambda y: value(y, _rows(tangent_grad), np.zeros(len(weight))))(y)[0](1.0)
        along = make_hvp(lambda y: value(y, grad, weight))(y)[0](dy)
        return _blocks(first), _blocks(along + second)

    def _state(self, count):
        return np.empty((count, self.vectors, self.length, LANES))

    def _box(self):
        return np.empty((self.length, BOX * LANES))

    def _small(self, rows, triangles):
        return np.empty((triangles * self.vectors * (self.vectors - 1) // 2 + rows, LANES))

    def _buffers(self):
        return np.empty((2, int(self.network.padded_widths.max()), LANES), self.dtype)


def _lens(outputs, others):
    """Mean (n, N) and log deviation (n, 1) of a lens."""
    raw = sum(outputs[:, k : k + 1] * b for k, b in enumerate(others))
    free = outputs[:, len(others) :]
    return _soft(raw, MEAN_LIMIT), LOG_DEVIATION + _soft(free, LOG_DEVIATION_LIMIT)


def _soft(x, limit):
    return x / anp.sqrt(1 + (x / limit) ** 2)


def _basis(triangle, others):
    """Rows of L^-1 B, each (n, N)."""
    basis = []
    for row, b in zip(triangle, others):
        rest = b - sum((row[k][:, None] * basis[k] for k in range(len(basis))), 0.0)
        basis.append(rest / row[-1][:, None])
    return basis


def _rows(blocks):
    """(blocks, D, LANES) -> (n, D), the last block's filling included."""
    return np.ascontiguousarray(blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1]), np.float64)


def _blocks(rows):
    return np.ascontiguousarray(rows.reshape(-1, LANES, rows.shape[1]).transpose(0, 2, 1))
