"""Names for what arguments may be, where several types will do."""

import os

import numpy as np

__all__ = ["PathLike", "Seed"]

# What names random numbers (SPEC 7): see `numepi.random_streams.seed_sequence`.
Seed = int | np.integer | np.random.SeedSequence | np.random.Generator
PathLike = str | os.PathLike[str]
