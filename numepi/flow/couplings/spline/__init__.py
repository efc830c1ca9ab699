"""Spline couplings: the rational-quadratic spline, the coupling, and kernels for value, gradient and tangents."""
