"""Flows: the compiled passes against the autograd definition, and what a density must satisfy."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad, jacobian
from autograd.test_util import check_grads

from numepi.flow import RealNVP, SplineFlow
from numepi.flow.elementwise.affine import ElementwiseAffine
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.flow.transform import Transform
from numepi.support import Support

CASES = [
    ("box", {}),
    ("box-2d", {"box_map": "sigmoid"}),
    ("half-lines", {"post_affine": True}),
    ("line", {"stages": 1}),
    ("mixed", {"stages": 4, "post_affine": True, "hidden": (5,)}),
]


def base_normals(flow, n=100, seed=7):
    return np.random.default_rng(seed).standard_normal((n, flow.dim))


def assert_same(ours, expected, tolerance=1e-10):
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize(("support", "settings"), CASES)
def test_sampling_pass_equals_its_definition_in_value_and_gradient(random_flow, support, settings):
    flow, theta = random_flow(support, **settings)
    base = base_normals(flow)
    z, log_q, pullback = flow.sample_with_pullback(theta, base)
    expected_z, expected_log_q = flow.sample_definition(theta, base)
    assert_same(z, expected_z)
    assert_same(log_q, expected_log_q)
    rng = np.random.default_rng(0)
    grad_z, grad_log_q = rng.standard_normal(z.shape), rng.standard_normal(len(z))

    def loss(theta, base, sample):
        z, log_q = sample(theta, base)
        return anp.sum(z * grad_z) + anp.sum(log_q * grad_log_q)

    expected = grad(loss, 0)(theta, base, flow.sample_definition)
    assert_same(pullback(grad_z, grad_log_q), expected)
    assert_same(grad(loss, 0)(theta, base, flow.sample), expected)
    assert_same(grad(loss, 1)(theta, base, flow.sample), grad(loss, 1)(theta, base, flow.sample_definition))


@pytest.mark.parametrize(("support", "settings"), CASES)
def test_density_pass_equals_its_definition_in_value_and_gradient(random_flow, support, settings):
    flow, theta = random_flow(support, **settings)
    z, _ = flow.sample(theta, base_normals(flow))
    log_q, pullback = flow.log_prob_with_pullback(theta, z)
    assert_same(log_q, flow.log_prob_definition(theta, z))
    weight = np.random.default_rng(0).standard_normal(len(z))

    def loss(theta, z, log_prob):
        return anp.sum(log_prob(theta, z) * weight)

    grad_theta, grad_z = pullback(weight)
    for argument, ours in ((0, grad_theta), (1, grad_z)):
        expected = grad(loss, argument)(theta, z, flow.log_prob_definition)
        assert_same(ours, expected)
        assert_same(grad(loss, argument)(theta, z, flow.log_prob), expected)


@pytest.mark.parametrize(("support", "settings"), CASES)
def test_density_of_samples_is_that_of_the_inverse_pass(random_flow, support, settings):
    flow, theta = random_flow(support, **settings)
    z, log_q = flow.sample(theta, base_normals(flow, 300))
    assert flow.support.contains(z).all()
    np.testing.assert_allclose(flow.log_prob(theta, z), log_q, atol=1e-8)


@pytest.mark.parametrize(("support", "settings"), CASES)
def test_log_determinant_is_that_of_the_whole_jacobian(random_flow, support, settings):
    flow, theta = random_flow(support, **settings)
    for base in base_normals(flow, 3):
        _, log_q = flow.sample(theta, base[None])
        matrix = jacobian(lambda x: flow.sample_definition(theta, x[None])[0][0])(base)
        log_normal = -0.5 * base @ base - 0.5 * flow.dim * np.log(2 * np.pi)
        assert log_q[0] == pytest.approx(log_normal - np.linalg.slogdet(matrix)[1], abs=1e-9)


@pytest.mark.parametrize("support", ["box-2d", "half-lines", "line"])
@pytest.mark.parametrize("box_map", ["gaussian-cdf", "sigmoid"])
def test_density_integrates_to_one(random_flow, support, box_map):
    if support == "half-lines":
        support = Support([0.0, -np.inf], [np.inf, 1.0])
    flow, theta = random_flow(support, scale=0.1, box_map=box_map)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    # Composite Gauss-Legendre on the line, carried to the support by the logistic map, dz = (dz/du) du, whichever the
    # flow's own is: the integral checks its determinant.
    edges = np.linspace(-24, 24, 9)
    half = 0.5 * np.diff(edges)[:, None]
    u = (edges[:-1, None] + half * (1 + nodes)).ravel()
    w = (half * weights).ravel()
    grid = np.stack(np.meshgrid(u, u, indexing="ij"), axis=-1).reshape(-1, 2)
    z, log_det = flow.support.from_line(grid, "sigmoid")
    mass = np.exp(flow.log_prob(theta, z) + log_det) @ np.outer(w, w).ravel()
    assert mass == pytest.approx(1.0, abs=2e-4)


def test_every_parameter_receives_gradient(random_flow):
    flow, theta = random_flow("mixed", post_affine=True)
    z, _, pullback = flow.sample_with_pullback(theta, base_normals(flow))
    assert np.all(pullback(np.cos(z), np.ones(len(z))) != 0)
    assert np.all(flow.log_prob_with_pullback(theta, z)[1](np.ones(len(z)))[0] != 0)


def test_second_derivatives_through_the_primitives_go_by_the_definition(random_flow):
    flow, theta = random_flow("box-2d", hidden=(3,), stages=2)
    base = base_normals(flow, 4)
    z, _ = flow.sample(theta, base)
    check_grads(lambda theta: flow.log_prob(theta, z), modes=["rev"], order=2)(theta)
    check_grads(lambda base: flow.sample(theta, base)[1], modes=["rev"], order=2)(base)


@pytest.mark.parametrize("dim", [2, 3, 17, 400])
def test_any_dimension(dim):
    flow = RealNVP(Support([-1.0] * dim, [1.0] * dim), stages=3, hidden=(10, 9))
    theta = flow.initial_parameters(0)
    theta += 0.05 * np.random.default_rng(1).standard_normal(len(theta))
    base = base_normals(flow, 66)
    z, log_q, pullback = flow.sample_with_pullback(theta, base)
    expected_z, expected_log_q = flow.sample_definition(theta, base)
    assert_same(z, expected_z)
    assert_same(log_q, expected_log_q)
    expected = grad(lambda theta: anp.sum(flow.sample_definition(theta, base)[1]))(theta)
    assert_same(pullback(np.zeros_like(z), np.ones(len(z))), expected)
    np.testing.assert_allclose(flow.log_prob(theta, z), log_q, atol=1e-7)


@pytest.mark.parametrize("direction", ["sample", "log_prob"])
def test_float32_couplings_agree_with_float64_to_single_precision(random_flow, direction):
    flow, theta = random_flow("mixed", post_affine=True)
    single, _ = random_flow("mixed", post_affine=True, precision="float32")
    base = base_normals(flow)
    z, _ = flow.sample(theta, base)
    results = []
    for each in (flow, single):
        if direction == "sample":
            each_z, log_q, pullback = each.sample_with_pullback(theta, base)
            assert each.support.contains(each_z).all()
            results.append((each_z, log_q, pullback(np.ones_like(z), np.ones(len(z)))))
        else:
            log_q, pullback = each.log_prob_with_pullback(theta, z)
            results.append((log_q, *pullback(np.ones(len(z)))))
    for double, single in zip(*results):
        assert single.dtype == np.float64
        np.testing.assert_allclose(single, double, rtol=2e-4, atol=2e-4 * np.abs(double).max())
        assert not np.array_equal(single, double)


def test_bits_do_not_depend_on_the_number_of_threads(random_flow, on_any_threads):
    flow, theta = random_flow("mixed", post_affine=True)
    base = base_normals(flow, 1000)

    def everything():
        z, log_q, pullback = flow.sample_with_pullback(theta, base)
        log_q_back, pullback_back = flow.log_prob_with_pullback(theta, z)
        product = flow.log_prob_hessian_product(theta, z, base)
        return z, log_q, pullback(z, log_q), log_q_back, *pullback_back(log_q), product

    on_any_threads(everything)


def test_a_sample_does_not_depend_on_its_batch(random_flow):
    flow, theta = random_flow("mixed")
    base = base_normals(flow, 150)
    z, log_q = flow.sample(theta, base)
    log_prob = flow.log_prob(theta, z)
    for i in (0, 63, 64, 149):
        alone_z, alone_log_q = flow.sample(theta, base[i : i + 1])
        np.testing.assert_array_equal(alone_z[0], z[i])
        assert alone_log_q[0] == log_q[i]
        assert flow.log_prob(theta, z[i : i + 1])[0] == log_prob[i]


def test_batches_beyond_the_tape_limit_are_recomputed_by_chunks(random_flow, monkeypatch):
    flow, theta = random_flow("half-lines")
    base = base_normals(flow, 300)
    z, log_q, pullback = flow.sample_with_pullback(theta, base)
    expected = pullback(z, log_q)
    expected_back = flow.log_prob_with_pullback(theta, z)[1](log_q)
    monkeypatch.setattr("numepi.flow.passes.batches._MAX_TAPE_BYTES", 1)
    chunked_z, chunked_log_q, chunked = flow.sample_with_pullback(theta, base)
    np.testing.assert_array_equal(chunked_z, z)
    np.testing.assert_array_equal(chunked_log_q, log_q)
    assert_same(chunked(z, log_q), expected, 1e-12)
    chunked_back = flow.log_prob_with_pullback(theta, z)[1](log_q)
    for ours, other in zip(chunked_back, expected_back):
        assert_same(ours, other, 1e-12)
    np.testing.assert_array_equal(chunked_back[1], expected_back[1])


def test_empty_batches(random_flow):
    flow, theta = random_flow("box")
    z, log_q, pullback = flow.sample_with_pullback(theta, np.zeros((0, 4)))
    assert z.shape == (0, 4) and log_q.shape == (0,)
    assert (pullback(z, log_q) == 0).all()
    assert flow.log_prob(theta, z).shape == (0,)


def test_outside_of_the_support(random_flow):
    flow, theta = random_flow("box")
    z, _ = flow.sample(theta, base_normals(flow, 5))
    expected = flow.log_prob(theta, z[2:])
    z[0, 1], z[1, 3] = 10.5, np.nan
    log_q, pullback = flow.log_prob_with_pullback(theta, z)
    assert log_q[0] == -np.inf and np.isnan(log_q[1])
    np.testing.assert_array_equal(log_q[2:], expected)
    grad_theta, grad_z = pullback(np.ones(5))
    assert np.isnan(grad_z[:2]).all() and np.isfinite(grad_z[2:]).all()
    assert_same(grad_theta, flow.log_prob_with_pullback(theta, z[2:])[1](np.ones(3))[0], 1e-12)


@pytest.mark.parametrize("box_map", ["gaussian-cdf", "sigmoid"])
def test_samples_that_round_to_the_bound_give_finite_densities_and_gradients(random_flow, box_map):
    flow, theta = random_flow("mixed", box_map=box_map)
    base = np.concatenate([np.full((1, 5), 45.0), np.full((1, 5), -45.0), np.eye(5) * 30])
    z, log_q, pullback = flow.sample_with_pullback(theta, base)
    assert flow.support.contains(z).all() and (z[0] == 10.0).any() | (z[0] == 2.5).any()
    assert np.isfinite(log_q).all()
    assert np.isfinite(pullback(np.ones_like(z), np.ones(len(z)))).all()
    edges = np.array([[-10.0, 0.0, 3.0, 0.0, 2.0], [10.0, 1.0, 3.0, 0.0, 2.5]])
    log_q, pullback = flow.log_prob_with_pullback(theta, edges)
    assert np.isfinite(log_q).all()
    assert np.isfinite(pullback(np.ones(2))[0]).all()


def test_wrong_shapes_are_refused_with_the_expected_ones(random_flow):
    flow, theta = random_flow("box")
    with pytest.raises(ValueError, match=rf"theta .*\({flow.n_parameters - 1},\).*\({flow.n_parameters},\)"):
        flow.sample(theta[1:], np.zeros((3, 4)))
    with pytest.raises(ValueError, match=r"base .*\(3, 5\).*\(n, 4\)"):
        flow.sample(theta, np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"z .*\(4,\).*\(n, 4\)"):
        flow.log_prob(theta, np.zeros(4))
    with pytest.raises(ValueError, match=r"v .*\(2, 4\).*\(3, 4\)"):
        flow.log_prob_hessian_product(theta, np.zeros((3, 4)), np.zeros((2, 4)))


class Short(ElementwiseAffine):
    """Its methods lose a coordinate where told to."""

    short = ""

    def run(self, parameters, x, log_q, inverse):
        y, tape = super().run(parameters, x, log_q, inverse)
        return (y[:, 1:] if self.short == "run" else y), tape

    def pull(self, *arguments):
        return super().pull(*arguments)[:, 1:]


def test_a_transform_that_returns_another_shape_is_named_before_compiled_passes_read_it():
    support = Support([0.0, 0.0], [1.0, 1.0])
    transform = Short(2, "float64")
    flow = ComposedFlow(support, [transform, SupportMap(support, "gaussian-cdf", "float64")], "float64")
    theta, base = flow.initial_parameters(), np.zeros((3, 2))
    _, _, pullback = flow.sample_with_pullback(theta, base)
    with pytest.raises(ValueError, match=r"Short\.pull returned .* \(1, 1, 64\): expected \(1, 2, 64\)"):
        pullback(base, np.zeros(3))
    with pytest.raises(ValueError, match=r"Short\.pull returned"):
        flow.log_prob_with_pullback(theta, base + 0.5)[1](np.ones(3))
    transform.short = "run"
    with pytest.raises(ValueError, match=r"Short\.run returned an array of shape \(1, 1, 64\): expected \(1, 2, 64\)"):
        flow.sample(theta, base)
    with pytest.raises(ValueError, match=r"Short\.run returned"):
        flow.log_prob(theta, base + 0.5)


def test_a_transform_that_is_not_whole_is_named_when_the_flow_is_made():
    support = Support([0.0, 0.0], [1.0, 1.0])
    last = SupportMap(support, "gaussian-cdf", "float64")
    with pytest.raises(TypeError, match=r"transform 0 of 2 \(Transform\) lacks forward, inverse, run, pull, tangent"):
        ComposedFlow(support, [Transform(2), last], "float64")
    with pytest.raises(ValueError, match=r"transform 0 of 2 \(ElementwiseAffine\) has dimension 3: the support has 2"):
        ComposedFlow(support, [ElementwiseAffine(3, "float64"), last], "float64")


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_without_identities_every_bit_is_the_same(precision):
    support = Support([-1.0] * 4, [1.0, 2.0, np.inf, np.inf])
    flow = SplineFlow(support, 4, precision=precision)
    theta, rng = flow.initial_parameters(0), np.random.default_rng(0)
    base = rng.standard_normal((300, 4)) * 3
    short, few = flow.without_identities(theta)
    assert few.shape == (0,) and len(short.transforms) == 4  # three reorderings, and the map to the support
    first = slice(0, flow.transforms[0].n_parameters)
    for learned in (False, True):
        if learned:  # the first coupling, which is kept then
            theta[first] += 0.3 * rng.standard_normal(first.stop)
            short, few = flow.without_identities(theta)
            np.testing.assert_array_equal(few, theta[first])
        z, log_q = flow.sample(theta, base)
        for found, wanted in zip(short.sample(few, base), (z, log_q)):
            np.testing.assert_array_equal(found, wanted)
        np.testing.assert_array_equal(short.log_prob(few, z), flow.log_prob(theta, z))


def test_transforms_are_asked_about_what_reaches_them():
    class Positive(SupportMap):
        """Of what lies within its bounds alone."""

        def run(self, parameters, x, log_q, inverse):
            assert not inverse or (x > 0).all()
            return super().run(parameters, x, log_q, inverse)

    support = Support([0.0] * 2, [np.inf] * 2)
    flow = ComposedFlow(
        support, [*SplineFlow(support, 2).transforms[:-1], Positive(support, "gaussian-cdf", "float64")], "float64"
    )
    short, few = flow.without_identities(flow.initial_parameters(0))
    assert isinstance(short.transforms[-1], Positive) and few.shape == (0,)


def test_what_reorders_is_no_identity():
    flow = RealNVP(Support([-1.0] * 2, [1.0] * 2), 2)
    theta = flow.initial_parameters(0)
    short, few = flow.without_identities(theta)
    np.testing.assert_array_equal(few, theta)
    np.testing.assert_array_equal(short.sample(few, np.eye(2))[0], flow.sample(theta, np.eye(2))[0])


def test_of_a_flow_of_identities_one_is_left():
    flow = SplineFlow(Support([-np.inf] * 2, [np.inf] * 2), 2)
    short, few = flow.without_identities(flow.initial_parameters(0))
    base = np.random.default_rng(0).standard_normal((10, 2))
    np.testing.assert_array_equal(np.sort(short.sample(few, base)[0]), np.sort(base))
