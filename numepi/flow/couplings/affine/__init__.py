"""Affine couplings (real NVP): definition, stacks of them in one compiled pass, kernels."""
