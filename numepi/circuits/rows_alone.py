"""Whether a row of parameters has the same statistics alone as among others: all that numepi does rests on it."""

import numpy as np

from numepi.random_streams import seed_sequence

__all__ = ["rows_that_mix"]

_TOLERANCE = 1e-4  # relative: matrix products of another size differ in their last bits, and a simulation enlarges that


def rows_that_mix(circuit, z, rng=0, **how):
    """The sentence that says which row of ``z`` (n, D) depends on others, or None where none does.

    Each row is simulated alone, with the index that it has in the batch.  Where the noise of a row hangs on its place
    among others, as in a `FunctionCircuit`, it is simulated among copies of itself, too; and where there is noise and
    both differ, it cannot be told from rows that mix, and nothing is said.

    Parameters
    ----------
    circuit : numepi.circuits.Circuit
    rng : int, SeedSequence
        The noise.
    **how
        Further arguments of `Circuit.statistics`.
    """
    f = circuit.statistics(z, rng=rng, **how)
    for row in range(len(z)):
        alone = circuit.statistics(z[row : row + 1], rng=rng, first_index=row, **how)[0]
        if not _differ(f[row], alone).any():
            continue
        copies = circuit.statistics(np.repeat(z[row : row + 1], len(z), axis=0), rng=rng, **how)[row]
        if _differ(f[row], copies).any() and not _noisy(circuit, z, f, rng, how):
            i = int(np.argmax(_differ(f[row], alone)))
            return (
                f"rows mix: {circuit.statistic_names[i]!r} of row {row} is {f[row, i]:.6g} among {len(z)} rows and "
                f"{alone[i]:.6g} alone; row i of the statistics must depend on row i of z only (sum over axis 1, not "
                "over axis 0)"
            )
    return None


def _differ(one, other):
    size = np.maximum(np.abs(one), np.abs(other))
    with np.errstate(invalid="ignore"):
        return (np.isfinite(one) != np.isfinite(other)) | (np.abs(one - other) > _TOLERANCE * size)


def _noisy(circuit, z, f, rng, how):
    seed = seed_sequence(rng)
    other = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, 1))
    return bool(_differ(f, circuit.statistics(z, rng=other, **how)).any())
