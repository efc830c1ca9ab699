"""Settings of the particle solver."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from numepi.arguments import check_count, check_number
from numepi.flow.families.lens import LensFlow
from numepi.inference.particles.annealing import ParticleSettings
from numepi.inference.particles.learning import SURE_DIM

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of the particle solver.

    Parameters
    ----------
    particles : int
        How many: a few hundred carry Newton's steps on the dual; what the flow learns is renewed by moves.
    moves, most_moves, leapfrogs, settle : int
        See `ParticleSettings`.
    length : float
        The same (rank-2 network of 250 neurons, 2 to 4 moves a step: log Z by the way -374 with 0.15, -334 with 0.5;
        -335 is so).
    ess_floor : float
        Least effective share of the particles after a step of the path.
    learn_steps : int
        Adam steps of the flow (rank-2 network of 10 neurons, seed 1, H* = 25.87: entropy 25.59 from 2,000, 25.63 from
        4,000 at a rate of 0.01; 25.64, 25.67 and 25.68 from 2,000, 3,000 and 4,000 at 5e-3; 25.68 from 4,000 at 3e-3).
    batch_size : int, optional
        Particles (all, where there are fewer), and draws of the flow, in a learning step.  By default 64 for lens
        flows, which learn as well from them as from 200; 200 for others.
    learning_rate : float, optional
        Adam's at the start; by default 3e-3, and for lens flows 5e-3 (above), or 0.01 beyond 200 parameters, where it
        is steps that they lack.
    max_failed_fraction : float
        Stop when more of the flow's simulations fail.
    """

    particles: int = 300
    moves: int = 2
    most_moves: int = 5
    leapfrogs: int = 8
    length: float = 0.5
    settle: int = 12
    ess_floor: float = 0.7
    learn_steps: int = 3000
    batch_size: int | None = None
    learning_rate: float | None = None
    max_failed_fraction: float = 0.5

    def __post_init__(self):
        for name in ("moves", "most_moves", "leapfrogs", "settle"):
            check_count(name, getattr(self, name))
        if self.moves > self.most_moves:
            raise ValueError(
                f"moves = {self.moves}, most_moves = {self.most_moves}: the most cannot be fewer than the least; give "
                f"most_moves={self.moves} or more"
            )
        check_count("particles", self.particles, least=20)
        check_count("learn_steps", self.learn_steps, least=1)
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, least=10)
        if self.learning_rate is not None:
            check_number("learning_rate", self.learning_rate, above=0, below=1)
        check_number("ess_floor", self.ess_floor, above=0, below=1)
        check_number("length", self.length, least=0)
        check_number("max_failed_fraction", self.max_failed_fraction, least=0, below=1)

    def for_flow(self, flow: Any) -> Settings:
        """These settings, with what depends on the ``flow`` filled in."""
        if isinstance(flow, LensFlow):
            batch_size, learning_rate = 64, 5e-3 if flow.dim <= SURE_DIM else 1e-2
        else:
            batch_size, learning_rate = 200, 3e-3
        return replace(
            self, batch_size=self.batch_size or batch_size, learning_rate=self.learning_rate or learning_rate
        )  # fmt: skip

    @property
    def sampler(self) -> ParticleSettings:
        """Those of the annealing."""
        return ParticleSettings(
            particles=self.particles, moves=self.moves, most_moves=self.most_moves, leapfrogs=self.leapfrogs,
            length=self.length, ess_floor=self.ess_floor, settle=self.settle,
        )  # fmt: skip
