"""Seeds, keys and streams: how one `rng` argument names every random number of a run.

numepi's simulators draw from a counter-based generator: the numbers are a pure function of a 64-bit *key* and a
counter (parameter index, trial and task, step, slot), so they do not depend on threads, blocks or batch layout.  The
key is derived here from whatever the user passes as ``rng`` with `numpy.random.SeedSequence`.
"""

import numpy as np

__all__ = ["seed_sequence", "stream_key"]


def seed_sequence(rng):
    """Return the `numpy.random.SeedSequence` that ``rng`` names.

    Parameters
    ----------
    rng : int, sequence of int, SeedSequence, numpy.random.Generator or None
        A Generator is advanced by one draw, which becomes the seed; None takes fresh entropy from the system.

    Raises
    ------
    TypeError
        For anything else (a legacy ``RandomState`` or ``numpy.random`` itself, say).
    ValueError
        For a negative integer.
    """
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(int(rng.integers(2**63)))
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer, list, tuple)):
        raise TypeError(f"rng must be an int, a SeedSequence or a numpy Generator, got {type(rng).__name__}")
    if isinstance(rng, (int, np.integer)) and rng < 0:
        raise ValueError(f"rng = {rng} is negative: a seed is zero or greater")
    return np.random.SeedSequence(rng)


def stream_key(rng):
    """Return the generator's key for ``rng``: two Python integers below 2**32."""
    words = seed_sequence(rng).generate_state(2, np.uint32)
    return int(words[0]), int(words[1])
