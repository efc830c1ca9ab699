"""Directional couplings for parameters that are vectors: definition and stack, coefficients, kernels."""
