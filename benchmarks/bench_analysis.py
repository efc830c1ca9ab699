"""Analyses: Hessian-vector products in many dimensions, and grouping (Hessians in four: bench_flow)."""

import numpy as np

import numepi as ne
from numepi.analysis import group_by_mode, sensitivity
from numepi.flow import FlowDistribution


def distribution(dim, hidden):
    """A real NVP on a box, bent by random weights."""
    flow = ne.RealNVP(ne.Support([-5.0] * dim, [5.0] * dim), stages=3, hidden=hidden, box_map="sigmoid")
    theta = flow.initial_parameters(0)
    return FlowDistribution(flow, theta + 0.02 * np.random.default_rng(0).standard_normal(len(theta)))


class ManyDimensions:
    """D = 400: products with the Hessian, and its leading direction, without the matrix."""

    timeout = 600

    def setup(self):
        self.q = distribution(400, (100, 100))
        self.z = self.q.sample(500)
        self.q.hessian_vector_product(self.z, self.z)

    def time_products_at_500_points(self):
        self.q.hessian_vector_product(self.z, self.z)

    def peakmem_products_at_500_points(self):
        self.q.hessian_vector_product(self.z, self.z)

    def time_leading_direction(self):
        sensitivity(self.q, self.z[0], n_directions=1)


class Grouping:
    """500 samples for each of nine modes (the paper: 2.67 s)."""

    timeout = 600

    def setup(self):
        self.q = distribution(4, (50, 50))
        self.modes = self.q.sample(9, rng=1)
        group_by_mode(self.q, self.modes, per_mode=10)

    def time_500_for_each_of_nine_modes(self):
        group_by_mode(self.q, self.modes, per_mode=500)
