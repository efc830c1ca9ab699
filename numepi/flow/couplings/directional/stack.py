"""Directional couplings: one vector moves along the directions of all others, by how they overlap."""

import autograd.numpy as anp
import numpy as np

from numepi.flow.couplings.clamp import clamp
from numepi.flow.couplings.directional import kernels as direction_kernels
from numepi.flow.couplings.directional import tangent_kernels as direction_tangent_kernels
from numepi.flow.couplings.directional.coefficients import FEATURE_LIMIT, SOFTENING
from numepi.flow.networks.mlp import MLP
from numepi.flow.passes.blocks import LANES
from numepi.flow.transform import Transform

__all__ = ["DirectionStack"]


class DirectionStack(Transform):
    """Stages that each move one vector v of x = [x_1, ..., x_p] along the others, B_1 ... B_r.

    The B are made of the p - 1 vectors that stay and of ``anchors`` learned ones that do not depend on x; each is bent,
    component by component: B_k = x_k (1 + kappa_k x_k^2 / (1 + x_k^2)), so that overlaps with it can be those that
    matter behind an element-wise map to the support.  A stage is

        v <- e^sigma v,  then for k = 1 ... r in turn  v <- v + (a_k B_k . v + tau_k) B_k,
        a_k = (e^{s_k} - 1) / g_k,  tau_k = t_k / sqrt(g_k),  g_k = |B_k|^2 + 0.01:

    v is scaled as a whole, and along each direction scaled by nearly e^{s_k} and shifted by nearly t_k.  [sigma, s, t]
    come from an MLP (sigma and s softly clamped) whose inputs are the log norms of the B, and the cosines between
    them: nothing but the anchors tells one component of the vectors from another, and the number of other parameters
    does not depend on their length N.  log|det dy/dx| = N sigma + sum_k log(1 + a_k |B_k|^2).

    Parameters
    ----------
    vectors, length : int
        p >= 2 and N: D = p N.
    stages : int
        They move the last vector, the one before it, ..., the first, the last again, ...
    hidden : tuple of int
        Units of each hidden layer of a stage's MLP.
    anchors : int
    precision : "float64" or "float32"
        What the passes compute in.
    """

    def __init__(self, vectors, length, stages, hidden, anchors, precision):
        super().__init__(vectors * length)
        self.vectors, self.length, self.n_stages, self.anchors = vectors, length, stages, anchors
        self.n_directions = r = vectors - 1 + anchors
        self.network = MLP(r * (r + 1), hidden, 1 + 2 * r)
        self.n_parameters = anchors * length + stages * (r + self.network.n_parameters)
        self.dtype = np.dtype(precision)
        self._order = vectors - 1 - np.arange(stages) % vectors
        self._pairs = r * (r + 1) // 2
        self._ends = anchors * length, anchors * length + stages * r  # of anchors and bends in theta
        self._rows = self._pairs + int(self.network.padded_widths.sum()) + 1 + 4 * r
        self.tape_size = self.dim + stages * (self._rows + length)

    def forward(self, theta, x):
        """Y (n, D) and log|det dy/dx| (n,): the definition."""
        return self._through_stages(theta, x, inverse=False)

    def inverse(self, theta, y):
        """X (n, D) and log|det dy/dx| (n,): the definition."""
        return self._through_stages(theta, y, inverse=True)

    def _through_stages(self, theta, x, inverse):
        anchors, bends, networks = self._split(theta)
        state = [x[:, k * self.length : (k + 1) * self.length] for k in range(self.vectors)]
        state += [anp.ones((len(x), 1)) * anchor for anchor in anchors]
        log_det = 0.0
        for stage in range(self.n_stages)[:: -1 if inverse else 1]:
            moved = self._order[stage]
            directions = [
                b * (1 + kappa * (b * b / (1 + b * b)))
                for kappa, b in zip(bends[stage], state[:moved] + state[moved + 1 :])
            ]
            move = _move_back if inverse else _move
            state[moved], more = move(self.network(networks[stage], _features(directions)), directions, state[moved])
            log_det = log_det + more
        return anp.concatenate(state[: self.vectors], axis=1), log_det

    def _split(self, theta):
        anchors = anp.reshape(theta[: self._ends[0]], (self.anchors, self.length))
        bends = anp.reshape(theta[self._ends[0] : self._ends[1]], (self.n_stages, self.n_directions))
        return anchors, bends, anp.reshape(theta[self._ends[1] :], (self.n_stages, self.network.n_parameters))

    def pack(self, theta):
        """The padded networks' parameters (stages, packed size), anchors, kappa, in the precision of the passes."""
        anchors, bends, networks = self._split(theta)
        return self.network.pack(networks, self.dtype), anchors.astype(self.dtype), bends.astype(self.dtype)

    def initial_parameters(self, generator):
        """Identity; the anchors are standard normal, kappa is zero."""
        anchors = generator.standard_normal(self.anchors * self.length)
        bends = np.zeros(self.n_stages * self.n_directions)
        networks = [self.network.initial_parameters(generator) for _ in range(self.n_stages)]
        return np.concatenate([anchors, bends, *networks])

    def layout(self):
        """See `Transform`."""
        rows = [("anchors", (self.anchors, self.length))] if self.anchors else []
        rows.append(("bend", (self.n_stages, self.n_directions)))
        return rows + [
            (f"{stage}.{name}", shape) for stage in range(self.n_stages) for name, shape in self.network.layout()
        ]

    def new_gradient(self, groups):
        """See `Transform`: as theta, but for the padded networks' layout; in the precision of the passes."""
        return np.zeros((groups, self._ends[1] + self.n_stages * self.network.packed_size), self.dtype)

    def total_gradient(self, partial):
        """See `Transform`."""
        total = partial.sum(axis=0, dtype=np.float64)
        networks = total[self._ends[1] :].reshape(self.n_stages, -1)[:, self.network.packed_index]
        return np.concatenate([total[: self._ends[1]], networks.ravel()])

    def run(self, parameters, x, log_q, inverse):
        """See `Transform`; the tape holds input and output, each stage's small numbers, and what its vector was."""
        y = np.empty_like(x, self.dtype)
        rows = np.empty((len(x), self.n_stages, self._rows, LANES), self.dtype)
        before = np.empty((len(x), self.n_stages, self.length, LANES), self.dtype)
        networks, anchors, bends = parameters
        direction_kernels.run(
            networks, self.network.padded_widths, anchors, bends, self._order, x, y, rows, before, log_q,
            self._state(1)[0], self._directions(self.dtype), inverse,
        )  # fmt: skip
        return y, (x, y, rows, before)

    def pull(self, parameters, tape, grad_output, grad_log_q, inverse, partial, group):
        """See `Transform`."""
        _, y, rows, before = tape
        networks, anchors, bends = parameters
        grad_input = np.empty_like(y)
        direction_kernels.pull(
            networks, self.network.padded_widths, anchors, bends, self._order, y, rows, before, grad_output,
            grad_log_q.astype(self.dtype, copy=False), grad_input, partial if group else np.empty((1, 0), self.dtype),
            self._state(2), self._directions(self.dtype), self._work(0, self.dtype), self._buffers(2), inverse, group,
        )  # fmt: skip
        return grad_input

    def tangent(self, parameters, tape, tangent_input):
        """See `Transform`."""
        x, y, rows, _ = tape
        networks, anchors, bends = parameters
        tangent_output = np.empty(y.shape)
        shape, r = rows.shape[:2], self.n_directions
        tangents = np.empty((*shape, int(self.network.padded_widths.sum()), LANES), self.dtype)
        numbers = np.empty((*shape, self._pairs + 2 + 6 * r, LANES), complex)
        before = np.empty((*shape, self.length, LANES), complex)
        end = np.empty((len(x), self.vectors + self.anchors, self.length, LANES), complex)
        direction_tangent_kernels.tangent(
            networks, self.network.padded_widths, anchors, bends, self._order, x, tangent_input, rows, tangent_output,
            tangents, numbers, before, end, self._directions(complex), np.zeros((r * (r + 1) + 1, LANES), complex),
        )  # fmt: skip
        return tangent_output, (tangents, numbers, before, end)

    def pull_tangent(self, parameters, tape, tangent_tape, grad_output, tangent_grad, grad_log_q):
        """See `Transform`."""
        rows = tape[2]
        grad_input, tangent_grad_input = np.empty(grad_output.shape), np.empty(grad_output.shape)
        work = self._work(max(self.network.widths[0], self.network.widths[-1]), complex)
        direction_tangent_kernels.pull_tangent(
            parameters[0], self.network.padded_widths, parameters[2], self._order, rows, *tangent_tape, grad_output,
            tangent_grad, grad_log_q, grad_input, tangent_grad_input, self._state(2).astype(complex),
            self._directions(complex), work, self._buffers(4),
        )  # fmt: skip
        return grad_input, tangent_grad_input

    def _state(self, count):
        return np.empty((count, self.vectors + self.anchors, self.length, LANES), self.dtype)

    def _work(self, more, dtype):
        return np.empty((4 * self.n_directions + self._pairs + 2 + more, LANES), dtype)

    def _directions(self, dtype):
        return np.empty((self.n_directions, self.length, LANES), dtype)

    def _buffers(self, count):
        return np.empty((count, int(self.network.padded_widths.max()), LANES), self.dtype)


def _features(directions):
    """Log norms and cosines of the directions, then both in units of their spread under the base, softly clamped."""
    length = directions[0].shape[1]
    sizes = [anp.sqrt(anp.sum(b * b, axis=1) + SOFTENING) for b in directions]
    log_norms = [anp.log(size / length**0.5) for size in sizes]
    cosines = [
        anp.sum(directions[k] * directions[j], axis=1) / (sizes[k] * sizes[j])
        for k in range(len(sizes))
        for j in range(k)
    ]
    scaled = [(2 * length) ** 0.5 * value for value in log_norms] + [length**0.5 * value for value in cosines]
    return anp.stack(log_norms + cosines + [y / anp.sqrt(1 + (y / FEATURE_LIMIT) ** 2) for y in scaled], axis=1)


def _coefficients(outputs, directions, length):
    """E^sigma; a, tau and |B|^2, lists of (n, 1); and log|det|."""
    r = len(directions)
    sigma, s, t = clamp(outputs[:, :1]), clamp(outputs[:, 1 : 1 + r]), outputs[:, 1 + r :]
    squares = [anp.sum(b * b, axis=1, keepdims=True) for b in directions]
    a = [(anp.exp(s[:, k : k + 1]) - 1) / (squares[k] + SOFTENING) for k in range(r)]
    shift = [t[:, k : k + 1] / anp.sqrt(squares[k] + SOFTENING) for k in range(r)]
    log_det = length * sigma + sum(anp.log(1 + a[k] * squares[k]) for k in range(r))
    return anp.exp(sigma), a, shift, squares, log_det[:, 0]


def _move(outputs, directions, v):
    scale, a, shift, _, log_det = _coefficients(outputs, directions, v.shape[1])
    v = v * scale
    for k, b in enumerate(directions):
        v = v + (a[k] * anp.sum(b * v, axis=1, keepdims=True) + shift[k]) * b
    return v, log_det


def _move_back(outputs, directions, v):
    scale, a, shift, squares, log_det = _coefficients(outputs, directions, v.shape[1])
    for k, b in reversed(list(enumerate(directions))):
        overlap = (anp.sum(b * v, axis=1, keepdims=True) - shift[k] * squares[k]) / (1 + a[k] * squares[k])
        v = v - (a[k] * overlap + shift[k]) * b
    return v / scale, log_det
