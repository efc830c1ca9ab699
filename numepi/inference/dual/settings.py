"""Settings of the dual solver: every number that steers an answer, with its unit, reason and what it was tried on."""

from dataclasses import dataclass

from numepi.arguments import check_count, check_number

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Settings of the dual solver; the defaults serve every circuit, budget and accuracy are the user's.

    "LDS" and so on name what a value was tried on (`benchmarks.bench_budget`): KL(q || p*) in nats, seeds 0 to 2.

    Parameters
    ----------
    kl : float
        Nats from the maximum-entropy distribution at which a run stops, if the constraints are met.
    certainty : float
        Standard errors of the certificate's KL by which it must be within ``kl``.  With a half a run of the LDS (seed
        5) ended at 0.063, certified 0.044 +- 0.008.
    constraint_certainty : float
        Standard errors by which every constraint must be within its tolerance.  With a half the STG (seed 0) ended at
        6,562 rows with a variance that 20,000 fresh draws find 1.5 to 2.2 tolerances off; with 1 seeds 0 to 2 end at
        20,358, 12,950 and 9,019 rows, at most 0.64 tolerances off.
    most_rows : int
        Simulations of a run without ``max_simulations`` while the surrogate leads; four times as many where the circuit
        is noisy, rows lie close and its answer has the property.  Where they end without constraints met and a
        reliable certificate of at most 0.15 nats, the run goes on without a surrogate (RNN N = 2: entropy -2.29 and no
        certificate from 60,000 rows, -1.96 and KL 0.16 from 395,000).
    survey_rows, survey_share : int, float
        Rows of the first look at the start; at most this share of the budget.  More find no more of what p* needs.
    round_size, round_share : int, float
        Rows of the first round; at most this share of the budget.  On 1,000 rows of the LDS rounds of 120 make four
        steps of annealing (KL 0.03); one large survey makes one (0.2 and more).
    growth, slow_growth : float
        Of rounds at the dual's optimum, where more rows sharpen the surrogate, and before, where p* is yet to be found.
    score_share : float
        Share of the budget that is too small for a round after the next: then the next takes all.
    max_annealing_rounds : int
        Rounds that the multipliers may take to reach the optimum of the dual.
    final_rounds : int
        Rounds from there, without a surrogate.
    repeats, repeat_share : int, float
        Rows of the survey that are simulated twice, to tell noise; and, where there is, share of a round's.
    defensive : float
        Share of a round drawn from the start: finds modes that the flow has lost, and bounds the weights.
    least_valid : int
        Rows that must work before a surrogate can learn.
    least_effective : int
        Real rows with weight under the target: the trust region of the multipliers.  SC, eight nats from the prior,
        stalls with 200 and learns from noise with 10.
    ess_floor : float
        The same without a surrogate, as a share of the replay.
    least_explained, most_misses : float, int
        R^2 of eta . T-bar on fresh rows, net of noise, below which a surrogate misses; it is dropped after so many in a
        row.  RNN N = 10: below 0; the LDS, STG and V1 above 0.4 from the first round on.
    most_early_misses : int
        The same (``most_misses`` if that is more) before the multipliers have reached the dual's optimum: there every
        round is new to the surrogate.  SC, eight nats from the prior, misses three times with seed 2 and then learns
        (R^2 -332, -312, -1.1, 0.2, ... 0.6).
    replay_share : float
        Of a limited budget, that must be left to drop the surrogate: from less, rounds without one reach nothing (RNN
        N = 10 needs the most of 50,000 rows, SC 400,000), and the surrogate leads to the end.
    surrogate_units : int
        In each of the two layers.
    surrogate_first_steps, surrogate_steps, surrogate_rate, surrogate_batch
        Adam's, for new networks, and for those that learn on.  The rate is that of many rows of a noisy circuit, others
        have a quarter of it (`numepi.inference.dual.surrogate`).  Where STG's rhythm changes networks round off
        what is sharp, and steps are what they lack.  KL of the surrogate's target after three fits (STG, seed 0, 10,129
        rows; its property 1, 20,000 rows; its property 7, 1,000 and 10,000 rows): 0.045, 0.166, 0.104, 0.039 by a rate
        of 5e-3, 0.037, 0.114, 0.094, 0.029 by 1e-2, 0.034, 0.092, 0.122, 0.023 by 2e-2; by 5e-3 and four times the
        steps (the last three) 0.091, 0.088, 0.023.  With 4e-2 fits that go on from earlier ones end further off.
    pool_size : int
        Draws that cost no simulation, in a pool for 50 steps.  5,000 leave leaks unseen (LDS 0.03 for 0.02).
    check_size, score_draws : int
        Draws that say how far the fit is, and that the score averages the surrogate over.
    least_pool_share : float
        Least effective share of a pool for Newton steps of the multipliers on it.
    learning_rate, last_rate : float
        Adam's, and the share of it at the end of a landing's cosine.
    fit_steps, landing_steps, most_repeated : int
        Steps of the approach at constant rate, and of the landing; how often each may be repeated.
    batch_size : int
        Rows in a fitting step.
    reverse_weight : float
        Of the gradient of KL(q || p) beside that of KL(p || q) in a landing.  LDS: 0.02 with 0.5, up to 1 with 1.
    averaging : float
        Of the running mean of the flow's parameters.
    replay_rows, replay_fit_steps, replay_batch, replay_rate
        Rows of a round without a surrogate, at the most; steps, rows and rate of its fit by likelihood.
    refine_steps, descent_steps, refine_size : int
        Steps of the last phase without a surrogate (0: none), a refinement, or a descent where the flow does not follow
        its target; rows of each.
    max_failed_fraction : float, optional
        Stop when more of a round's simulations fail; None: however many do.
    """

    kl: float = 0.05
    certainty: float = 2.0
    constraint_certainty: float = 1.0
    most_rows: int = 60_000
    survey_rows: int = 1_000
    survey_share: float = 0.25
    round_size: int = 600
    round_share: float = 0.12
    growth: float = 1.6
    slow_growth: float = 1.1
    score_share: float = 0.1
    max_annealing_rounds: int = 40
    final_rounds: int = 4
    repeats: int = 50
    repeat_share: float = 0.1
    defensive: float = 0.1
    least_valid: int = 40
    least_effective: int = 40
    ess_floor: float = 0.05
    least_explained: float = 0.3
    most_misses: int = 3
    most_early_misses: int = 6
    replay_share: float = 0.5
    surrogate_units: int = 64
    surrogate_first_steps: int = 1500
    surrogate_steps: int = 1000
    surrogate_rate: float = 2e-2
    surrogate_batch: int = 256
    pool_size: int = 10_000
    check_size: int = 20_000
    score_draws: int = 40_000
    least_pool_share: float = 0.02
    learning_rate: float = 5e-3
    last_rate: float = 0.03
    fit_steps: int = 300
    landing_steps: int = 600
    most_repeated: int = 2
    batch_size: int = 256
    reverse_weight: float = 0.5
    averaging: float = 0.98
    replay_rows: int = 10_000
    replay_fit_steps: int = 200
    replay_batch: int = 500
    replay_rate: float = 2e-3
    refine_steps: int = 600
    descent_steps: int = 2000
    refine_size: int = 300
    max_failed_fraction: float | None = None

    def __post_init__(self):
        counts = {
            "most_rows": 100, "survey_rows": 20, "round_size": 20, "max_annealing_rounds": 1, "final_rounds": 1,
            "repeats": 0, "least_valid": 8, "least_effective": 2, "most_misses": 1, "most_early_misses": 1,
            "surrogate_units": 1, "surrogate_first_steps": 1,
            "surrogate_steps": 1, "surrogate_batch": 1, "pool_size": 100, "check_size": 100, "score_draws": 100,
            "fit_steps": 1, "landing_steps": 1, "most_repeated": 0, "batch_size": 1, "replay_rows": 20,
            "replay_fit_steps": 1, "replay_batch": 1, "refine_steps": 0, "descent_steps": 0, "refine_size": 2,
        }  # fmt: skip
        for name, least in counts.items():
            check_count(name, getattr(self, name), least=least)
        shares = (
            "survey_share", "round_share", "score_share", "defensive", "ess_floor", "least_pool_share", "learning_rate",
            "last_rate", "averaging", "surrogate_rate", "replay_rate", "replay_share",
        )  # fmt: skip
        for name in shares:
            check_number(name, getattr(self, name), above=0, below=1)
        for name in ("growth", "slow_growth"):
            check_number(name, getattr(self, name), least=1)
        check_number("kl", self.kl, above=0)
        check_number("repeat_share", self.repeat_share, least=0, below=1)
        for name in ("certainty", "constraint_certainty"):
            check_number(name, getattr(self, name), least=0)
        check_number("reverse_weight", self.reverse_weight, least=0)
        check_number("least_explained", self.least_explained, below=1)
        if self.max_failed_fraction is not None:
            check_number("max_failed_fraction", self.max_failed_fraction, least=0, below=1)
