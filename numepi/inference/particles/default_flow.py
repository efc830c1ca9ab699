"""The flow that learns from particles where none is given: of whole vectors where a circuit's parameters are some."""

import numpy as np

from numepi.flow.families.directional import DirectionalFlow
from numepi.flow.families.elementwise import ElementwiseFlow
from numepi.flow.families.lens import LensFlow
from numepi.flow.families.spline import SplineFlow

__all__ = ["default_flow"]


def default_flow(circuit, precision, prior):
    """Lenses, or directions, in vectors where the parameters are some, long enough; else splines."""
    vectors, support = circuit.parameter_vectors, circuit.support
    if 1 < vectors < support.dim // vectors:
        if not support.is_box:
            return DirectionalFlow(support, vectors, precision=precision)
        return LensFlow(support, vectors, signs=_signs(circuit) if prior is None else None, precision=precision)
    if support.dim == 1:
        return ElementwiseFlow(support, precision=precision)
    return SplineFlow(support, post_affine=True, precision=precision)


def _signs(circuit):
    """Labels of a circuit's vectors: those of one change sign together and leave its statistics alone; None without."""
    vectors, support = circuit.parameter_vectors, circuit.support
    members = np.zeros((len(circuit.sign_symmetries), support.dim), int)
    for row, each in zip(members, circuit.sign_symmetries):
        row[list(each)] = 1
    members = members.reshape(len(members), vectors, support.dim // vectors)
    whole = members[(members == members[:, :, :1]).all(axis=(1, 2)), :, 0]
    labels = whole.T @ np.arange(1, len(whole) + 1)
    # each set changes sign on its own, and has a vector that stays whichever is moved
    apart = (whole.sum(axis=0) <= 1).all() and (np.unique(labels, return_counts=True)[1] > 1).all()
    symmetric = (support.lower == -support.upper).all() and support.where is None
    return labels.tolist() if len(whole) and apart and symmetric else None
