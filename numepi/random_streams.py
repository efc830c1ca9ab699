"""Seeds, keys and streams: how one `rng` argument names every random number of a run.

numepi's simulators draw from a counter-based generator: the numbers are a pure function of a 64-bit *key* and a
counter (parameter index, trial and task, step, slot), so they do not depend on threads, blocks or batch layout.  The
key is derived here from whatever the user passes as ``rng`` with `numpy.random.SeedSequence`.
"""

from __future__ import annotations

from numbers import Integral

import numpy as np

from numepi.annotations import Seed
from numepi.arguments import shown

__all__ = ["seed_sequence", "stream_key"]

_SEEDS = "give an int of zero or more, a SeedSequence or a numpy Generator"


def seed_sequence(rng: Seed, name: str = "rng") -> np.random.SeedSequence:
    """Return the `numpy.random.SeedSequence` that ``rng`` names, as SPEC 7 would have it.

    Parameters
    ----------
    rng : int, sequence of int, SeedSequence, Generator, BitGenerator, RandomState or None
        A generator of any kind is advanced by one draw, which becomes the seed; None takes fresh entropy from the
        system.
    name : str
        The argument that a message names.

    Raises
    ------
    TypeError
        For anything else (a float, or the module ``numpy.random`` itself, say).
    ValueError
        For a negative integer, or an empty sequence.
    """
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.RandomState):
        rng = rng._bit_generator  # as numpy.random.default_rng takes it since NumPy 2.2
    if isinstance(rng, np.random.BitGenerator):
        rng = np.random.Generator(rng)
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(int(rng.integers(2**63)))
    if rng is None:
        return np.random.SeedSequence()
    integers = np.asarray(rng, object) if isinstance(rng, (list, tuple, np.ndarray)) else np.array([rng], object)
    if integers.ndim > 1 or not all(isinstance(i, Integral) and not isinstance(i, bool) for i in integers.flat):
        raise TypeError(f"{name} = {shown(rng)}: {_SEEDS}, not a {type(rng).__name__}")
    if integers.size == 0 or any(i < 0 for i in integers.flat):
        raise ValueError(f"{name} = {shown(rng)}: {_SEEDS}")
    return np.random.SeedSequence([int(i) for i in integers.flat] if np.ndim(rng) else int(integers.flat[0]))


def stream_key(rng: Seed) -> tuple[int, int]:
    """Return the generator's key for ``rng``: two Python integers below 2**32."""
    words = seed_sequence(rng).generate_state(2, np.uint32)
    return int(words[0]), int(words[1])
