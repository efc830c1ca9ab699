"""What every circuit offers: names, support, statistics with their Jacobian, trajectories.

A circuit author subclasses `Circuit`, states the class attributes, and writes `_job`, or `_evaluate` where there is
nothing to simulate (and `_simulate` where there is activity to show).  Arguments are checked here, once, before any
work; a job runs on whichever device is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.arguments import check_choice, check_count, check_mapping, real_array
from numepi.circuits.definition import Checked, constructor_arguments
from numepi.kernels.announce import to_people
from numepi.random_streams import stream_key
from numepi.support import Support

__all__ = ["Circuit", "Trajectories"]

_PRECISIONS = {"float64": np.float64, "float32": np.float32}
_DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Trajectories:
    """Simulated activity.

    Attributes
    ----------
    time : ndarray (T,)
        Sample times in seconds.
    values : ndarray (n, ..., T, v)
        The activity of ``v`` named variables; the axes between are the circuit's tasks and trials.
    names : tuple of str
        The ``v`` variables, with units.
    """

    time: np.ndarray
    values: np.ndarray
    names: tuple


class Circuit(metaclass=Checked):
    """Base class of all circuits, checked when they are constructed (`numepi.circuits.definition`).

    Subclasses set ``name``, ``parameter_names`` (D), ``statistic_names`` (k) and ``support`` (`numepi.Support`), keep
    each constructor argument as an attribute of the same name, and implement one of

    ``_job(noise)``
        ``noise`` a dict of arrays or None.  Returns a `numepi.simulation.lanes.Job` (or an object with its
        ``statistics``, ``n_parameters``, ``n_statistics`` and ``differentiable`` that the CUDA driver knows, too).
        Where the job is not differentiable, neither is the circuit.
    ``_evaluate(z, key, first_index, noise, with_jacobian)``
        ``z`` (n, D) C-contiguous, float32 or float64 (the precision to compute in); ``key`` two integers for the
        counter-based generator; row i is parameter ``first_index + i``; ``noise`` a dict of arrays or None.
        Returns f (n, k) and J (n, k, D), or f and None.  A simulation that diverges gives NaN in its own row.

    and, where there is activity to show,

    ``_simulate(z, key, noise)``
        Returns `Trajectories`.
    """

    name: str
    parameter_names: tuple
    statistic_names: tuple
    support: Support
    noise_names: tuple = ()
    differentiable = True
    sign_symmetries: tuple = ()  # sets of parameters (indices) whose joint change of sign leaves f's distribution alone
    rows_per_part = 16  # of a batch that an executor gets at a time, at the least: fewer cost more to send than to run
    parameter_vectors = 1  # that z joins: more than 1 where statistics depend on their norms and overlaps

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments: with the class name they define the circuit."""
        return {name: self._argument(name) for name in constructor_arguments(type(self))}

    def _argument(self, name):
        if not hasattr(self, name):
            raise TypeError(
                f"{type(self).__name__} does not keep its argument {name!r}: set self.{name}; arguments define it"
            )
        return getattr(self, name)

    def __repr__(self):
        arguments = constructor_arguments(type(self))
        changed = [f"{k}={v!r}" for k, v in self.settings.items() if not np.array_equal(v, arguments[k].default)]
        return f"{type(self).__name__}({', '.join(changed)})"

    def statistics(
        self,
        z: ArrayLike,
        rng: Seed = 0,
        first_index: int = 0,
        noise: Mapping[str, ArrayLike] | None = None,
        precision: str = "float64",
        device: str = "cpu",
    ) -> np.ndarray:
        """Statistics of the activity at each parameter.

        Parameters
        ----------
        z : array (n, D)
            Parameters; one row is one simulation (with the circuit's trials).
        rng : int, SeedSequence or Generator
            Names the noise; ignored when ``noise`` is given.
        first_index : int
            Counter of the first row: row i draws the noise of parameter ``first_index + i`` in any batch.
        noise : dict of arrays, optional
            The noise itself, under the circuit's ``noise_names``; it decides the number of trials.
        precision : "float64" or "float32"
            What the simulation computes in.
        device : "cpu" or "cuda"
            Where; the same seed gives the same noise on both, and the results agree to rounding.

        Returns
        -------
        f : ndarray (n, k), float64
            NaN in the rows whose simulation diverged.

        Raises
        ------
        ValueError
            If ``z`` has the wrong shape or a non-finite entry, or ``noise`` the wrong names or shapes; or if
            ``device="cuda"`` and the circuit has no simulation to run there.
        ImportError, RuntimeError, MemoryError
            If ``device="cuda"`` and the package numba-cuda, a driver with a GPU, or memory on it is missing.
        """
        return self._call(z, rng, first_index, noise, precision, device, with_jacobian=False)[0]

    def statistics_and_jacobian(
        self,
        z: ArrayLike,
        rng: Seed = 0,
        first_index: int = 0,
        noise: Mapping[str, ArrayLike] | None = None,
        precision: str = "float64",
        device: str = "cpu",
    ) -> tuple[np.ndarray, np.ndarray]:
        """As `statistics`, with the Jacobian df/dz at fixed noise.

        Returns
        -------
        f : ndarray (n, k), float64
        J : ndarray (n, k, D), float64

        Raises
        ------
        TypeError
            Where the circuit has statistics only.
        """
        if not self.differentiable:
            raise TypeError(
                f"{self!r} has statistics only (differentiable=False): give it a Jacobian, or choose a solver that "
                "needs no gradient"
            )
        return self._call(z, rng, first_index, noise, precision, device, with_jacobian=True)

    def simulate(self, z: ArrayLike, rng: Seed = 0, noise: Mapping[str, ArrayLike] | None = None) -> Trajectories:
        """Trajectories of the activity at each parameter (rows of ``z`` (n, D)), as `Trajectories`."""
        z = self._check_parameters(z)
        noise = self._check_noise(noise, len(z))
        with to_people(self.name):
            return self._simulate(z, stream_key(rng), noise)

    def paper_settings(self) -> dict[str, Any]:
        """The paper's flow and Algorithm 1 for this circuit: keywords of `numepi.infer` (`numepi.paper`).

        Raises
        ------
        TypeError
            For a circuit that is not the paper's.
        """
        from numepi.paper import paper_settings  # which knows circuits and flows

        return paper_settings(self)

    def _call(self, z, rng, first_index, noise, precision, device, with_jacobian):
        check_choice("precision", precision, tuple(_PRECISIONS))
        check_choice("device", device, _DEVICES)
        z = self._check_parameters(z)
        first_index = check_count("first_index", first_index, least=0, most=2**32 - len(z))
        noise = self._check_noise(noise, len(z))
        z = z.astype(_PRECISIONS[precision], order="C", copy=False)
        evaluate = self._evaluate if device == "cpu" else self._evaluate_on_gpu
        with to_people(self.name):
            f, jacobian = evaluate(z, stream_key(rng), first_index, noise, with_jacobian)
        return self._real("statistics", f), None if jacobian is None else self._real("a Jacobian", jacobian)

    def _real(self, what, values):
        """What ``_evaluate`` returned, as float64: a copy where the code is a user's, who may keep the array."""
        if type(values) is np.ndarray and values.dtype == np.float64 and type(self)._job is not Circuit._job:
            return values
        return real_array(f"{self!r} returned {what}, which", values)

    def _check_parameters(self, z):
        z = real_array("z", z)  # a copy: a user's code may write into it
        dim = len(self.parameter_names)
        if z.ndim != 2 or z.shape[1] != dim:
            names = ", ".join(self.parameter_names[:6]) + (", ..." if dim > 6 else "")
            raise ValueError(
                f"z has shape {z.shape}: {type(self).__name__} expects (n, {dim}), one column each for {names}"
            )
        if not np.isfinite(z).all():
            row, column = np.argwhere(~np.isfinite(z))[0]
            raise ValueError(f"z[{row}, {column}] = {z[row, column]}: parameters must be finite")
        return z if self.support is None else self.support.rounded(z)

    def _check_noise(self, noise, n):
        if noise is None:
            return None
        noise = check_mapping("noise", noise, f"give a dict of the arrays {', '.join(self.noise_names) or '(none)'}")
        if set(noise) != set(self.noise_names):
            raise ValueError(f"noise has the arrays {sorted(map(str, noise))}: expected {sorted(self.noise_names)}")
        noise = {name: real_array(f"noise[{name!r}]", value) for name, value in noise.items()}
        for name, value in noise.items():
            if value.shape[:1] != (n,):
                raise ValueError(f"noise[{name!r}] has shape {value.shape}: its first axis must be the {n} rows of z")
        return noise

    def _job(self, noise):
        raise NotImplementedError

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        return self._job(noise).statistics(z, key, first_index, with_jacobian)

    def _evaluate_on_gpu(self, z, key, first_index, noise, with_jacobian):
        if type(self)._job is Circuit._job:
            raise ValueError(f"device = 'cuda', but {type(self).__name__} has no simulation to run there: use 'cpu'")
        from numepi.simulation import cuda

        return cuda.statistics(self._job(noise), z, key, first_index, with_jacobian)

    def _simulate(self, z, key, noise):
        raise TypeError(f"{type(self).__name__} has statistics only: there are no trajectories to simulate")
