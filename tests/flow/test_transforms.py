"""Properties that every transform of the protocol must have; a new transform joins the list below."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad, jacobian

from numepi.flow.couplings.affine.coupling import AffineCoupling
from numepi.flow.couplings.affine.stack import AffineStack
from numepi.flow.couplings.directional.stack import DirectionStack
from numepi.flow.couplings.lens.stack import LensStack
from numepi.flow.couplings.spline.coupling import SplineCoupling
from numepi.flow.couplings.spline.elementwise import GAIN, ElementwiseSpline
from numepi.flow.elementwise.affine import ElementwiseAffine
from numepi.flow.elementwise.permutation import Permutation
from numepi.flow.elementwise.sinh_arcsinh import SinhArcsinh
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.passes.blocks import from_blocks, to_blocks, vector_from_blocks, vector_to_blocks
from numepi.support import Support

N = 70
MIXED = Support([-10.0, 0.0, -np.inf, -np.inf], [10.0, np.inf, 3.0, np.inf])
BOX = Support([0.0, -1.0, 2.0], [1.0, 5.0, 2.5])
TRANSFORMS = {
    "affine": lambda precision: AffineStack(AffineCoupling(4, (6, 5), precision), [[3, 0, 2, 1], [1, 2, 0, 3]]),
    "affine-2d": lambda precision: AffineStack(AffineCoupling(2, (5,), precision)),
    "affine-odd": lambda precision: AffineStack(AffineCoupling(7, (3, 9, 4), precision), [[6, 1, 0, 5, 2, 3, 4]]),
    "spline": lambda precision: SplineCoupling(4, (6, 5), precision, bins=4),
    "spline-one-of-three": lambda precision: SplineCoupling(3, (5,), precision, moved=1, bins=5),
    "direction": lambda precision: DirectionStack(3, 4, 5, (6, 5), 0, precision),
    "direction-anchored": lambda precision: DirectionStack(2, 3, 3, (6, 5), 1, precision),
    "lens": lambda precision: LensStack(2, 3, 3, (6, 5), precision),
    "lens-three": lambda precision: LensStack(3, 4, 2, (5,), precision),
    "sinh-arcsinh": lambda precision: SinhArcsinh(3, precision),
    "elementwise-spline": lambda precision: ElementwiseSpline(3, 2, precision),
    "elementwise-spline-1d": lambda precision: ElementwiseSpline(1, 3, precision),
    "elementwise": lambda precision: ElementwiseAffine(3, precision),
    "permutation": lambda precision: Permutation([2, 0, 3, 1]),
    "mixed-support": lambda precision: SupportMap(MIXED, "gaussian-cdf", precision),
    "box-gaussian": lambda precision: SupportMap(BOX, "gaussian-cdf", precision),
    "box-sigmoid": lambda precision: SupportMap(BOX, "sigmoid", precision),
}


class Case:
    """A transform at random parameters, with inputs for both directions and cotangents."""

    def __init__(self, name, precision="float64"):
        rng = np.random.default_rng(3)
        self.transform = TRANSFORMS[name](precision)
        # lenses push what is far out to the bounds, where digits are lost
        gains = {ElementwiseSpline: GAIN, LensStack: 4.0}
        scale = 0.4 / gains.get(type(self.transform), 1.0)
        self.theta = self.transform.initial_parameters(rng) + scale * rng.standard_normal(self.transform.n_parameters)
        self.x = rng.standard_normal((N, self.transform.dim))
        self.y, self.log_det = self.transform.forward(self.theta, self.x)
        self.grad_output = rng.standard_normal(self.x.shape)
        self.grad_log_q = rng.standard_normal(N)
        self.direction = rng.standard_normal(self.x.shape)
        self.dtype = np.dtype(precision)

    def definition(self, inverse):
        function = self.transform.inverse if inverse else self.transform.forward
        return function, (self.y if inverse else self.x)

    def blocks(self, inverse):
        is_support_side = inverse and isinstance(self.transform, SupportMap)
        return to_blocks(self.y if inverse else self.x, np.float64 if is_support_side else self.dtype)

    def run(self, inverse):
        log_q = vector_to_blocks(np.zeros(N))
        parameters = self.transform.pack(self.theta)
        output, tape = self.transform.run(parameters, self.blocks(inverse), log_q, inverse)
        return parameters, output, tape, vector_from_blocks(log_q, N)


@pytest.fixture(params=TRANSFORMS)
def case(request):
    return Case(request.param)


def test_definition_inverts(case):
    x, log_det = case.transform.inverse(case.theta, case.y)
    np.testing.assert_allclose(x, case.x, atol=1e-10)
    np.testing.assert_allclose(log_det, case.log_det, atol=1e-10)


def test_log_det_is_that_of_the_jacobian(case):
    for i in range(5):
        matrix = jacobian(lambda x: case.transform.forward(case.theta, x[None])[0][0])(case.x[i])
        assert case.log_det[i] == pytest.approx(np.linalg.slogdet(matrix)[1], abs=1e-10)


@pytest.mark.parametrize("inverse", [False, True])
def test_pass_equals_definition(case, inverse):
    function, start = case.definition(inverse)
    expected, log_det = function(case.theta, start)
    _, output, _, log_q = case.run(inverse)
    np.testing.assert_allclose(from_blocks(output, N), expected, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(log_q, -log_det, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("inverse", [False, True])
def test_pullback_equals_autograd(case, inverse):
    function, start = case.definition(inverse)

    def loss(theta, x):
        output, log_det = function(theta, x)
        return anp.sum(output * case.grad_output) - anp.sum(log_det * case.grad_log_q)

    parameters, _, tape, _ = case.run(inverse)
    cotangent, weight = to_blocks(case.grad_output, case.dtype, fill=False), vector_to_blocks(case.grad_log_q)
    for _ in range(2):  # a tape can be used again
        partial, together = case.transform.new_gradient(2), case.transform.new_gradient(1)
        grad_x = case.transform.pull(parameters, tape, cotangent, weight, inverse, partial, 1)
        case.transform.pull(parameters, tape, cotangent, weight, inverse, together, 2)
        np.testing.assert_allclose(partial.sum(axis=0), together[0], rtol=1e-9, atol=1e-12)
        grad_theta = case.transform.total_gradient(partial)
        assert grad_theta.shape == (case.transform.n_parameters,)
        expected = grad(loss, 1)(case.theta, start)
        np.testing.assert_allclose(from_blocks(grad_x, N), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
        if case.transform.n_parameters:
            expected = grad(loss, 0)(case.theta, start)
            np.testing.assert_allclose(grad_theta, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
            assert np.all(grad_theta != 0), "a parameter receives no gradient"
    only_x = case.transform.pull(parameters, tape, cotangent, weight, inverse, None, 0)
    np.testing.assert_array_equal(only_x, grad_x)


def test_tangent_of_the_inverse_pass_and_of_its_pullback_equal_autograd(case):
    def loss(y, grad_output):
        x, log_det = case.transform.inverse(case.theta, y)
        # autograd warns of derivatives that do not depend on y at all, as those of linear maps
        return anp.sum(x * grad_output) - anp.sum(log_det * case.grad_log_q) + 0 * anp.sum(y**3)

    def output_along(y):  # d(output . w)/dy . direction, linear in w, for the tangent itself
        return elementwise_grad(lambda w: anp.sum(grad(loss)(y, w) * case.direction))(np.zeros_like(y))

    tangent_grad = np.random.default_rng(5).standard_normal(case.x.shape)
    parameters, _, tape, _ = case.run(inverse=True)
    direction = to_blocks(case.direction, np.float64)
    tangent, tangent_tape = case.transform.tangent(parameters, tape, direction)
    np.testing.assert_allclose(from_blocks(tangent, N), output_along(case.y), rtol=1e-9, atol=1e-10)
    grad_y, grad_y_tangent = case.transform.pull_tangent(
        parameters,
        tape,
        tangent_tape,
        to_blocks(case.grad_output, np.float64, fill=False),
        to_blocks(tangent_grad, np.float64, fill=False),
        vector_to_blocks(case.grad_log_q),
    )
    expected = grad(loss)(case.y, case.grad_output)
    along_y = grad(lambda y: anp.sum(grad(loss)(y, case.grad_output) * case.direction))(case.y)
    along_w = grad(lambda y: anp.sum(case.transform.inverse(case.theta, y)[0] * tangent_grad))(case.y)
    np.testing.assert_allclose(from_blocks(grad_y, N), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    expected = along_y + along_w
    np.testing.assert_allclose(from_blocks(grad_y_tangent, N), expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_initial_parameters_give_the_identity_up_to_the_order_of_coordinates(case):
    if isinstance(case.transform, SupportMap):
        return
    theta = case.transform.initial_parameters(np.random.default_rng(0))
    y, log_det = case.transform.forward(theta, case.x)
    rounding = 1e-12 if isinstance(case.transform, LensStack) else 2e-15  # through distribution functions and back
    np.testing.assert_allclose(np.sort(y), np.sort(case.x), rtol=0, atol=rounding)
    np.testing.assert_allclose(log_det, 0, atol=rounding)


def test_layout_accounts_for_every_parameter(case):
    assert sum(int(np.prod(shape)) for _, shape in case.transform.layout()) == case.transform.n_parameters


def test_scale_stays_within_its_clamp():
    coupling = AffineCoupling(2, (4,), "float64")
    theta = 1e6 * np.ones(coupling.n_parameters)
    _, log_det = coupling.forward(theta, np.ones((1, 2)))
    assert log_det[0] == pytest.approx(5.0)
