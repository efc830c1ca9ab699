"""Settings of the dual solver."""

from dataclasses import dataclass

from numepi.arguments import check_count, check_number

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of the dual solver; the defaults serve every circuit, only the budget is the user's.

    Parameters
    ----------
    max_annealing_rounds : int
        Rounds that the multipliers may take to reach the optimum of the dual.
    final_rounds : int
        Rounds of simulation and fitting from there.
    round_size : int
        Parameters simulated in a round.
    fit_steps : int
        Adam steps of maximum likelihood in a round.
    batch_size : int
        Samples in a fitting step.
    refine_steps, descent_steps : int
        Steps of the last phase (0: none): a refinement, or a descent where the flow does not follow its target.
    refine_size : int
        Parameters simulated in each of those steps.
    learning_rate : float
        Adam's, before it decays in the last rounds.
    window : int
        Rounds that the replay keeps.
    defensive : float
        Share of a round drawn from the starting flow.
    ess_floor : float
        Least effective share of the replay: the trust region of the multipliers.
    max_failed_fraction : float
        Stop when more of a round's simulations fail.
    """

    max_annealing_rounds: int = 40
    final_rounds: int = 10
    round_size: int = 10_000
    fit_steps: int = 200
    batch_size: int = 500
    refine_steps: int = 600
    descent_steps: int = 2000
    refine_size: int = 300
    learning_rate: float = 2e-3
    window: int = 6
    defensive: float = 0.1
    ess_floor: float = 0.05
    max_failed_fraction: float = 0.5

    def __post_init__(self):
        for name in ("max_annealing_rounds", "final_rounds", "fit_steps", "batch_size", "window"):
            check_count(name, getattr(self, name))
        check_count("round_size", self.round_size, least=20)
        check_count("refine_size", self.refine_size, least=2)
        for name in ("refine_steps", "descent_steps"):
            check_count(name, getattr(self, name), least=0)
        for name in ("learning_rate", "defensive", "ess_floor"):
            check_number(name, getattr(self, name), above=0, below=1)
        check_number("max_failed_fraction", self.max_failed_fraction, least=0, below=1)
