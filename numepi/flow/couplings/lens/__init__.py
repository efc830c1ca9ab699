"""Lens couplings for vectors in a box: an affine move between two truncated-normal maps; definition and kernels."""
