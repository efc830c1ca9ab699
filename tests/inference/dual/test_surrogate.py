"""The surrogate: E[T | z] with noise by regression, where simulations work, and how much it explains."""

from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual import surrogate as module
from numepi.inference.dual.surrogate import Member, Surrogate, explained_share, learn, rate_of
from numepi.inference.problem import Problem

BOX = ne.Support([-2.0, -2.0], [2.0, 2.0])
SETTINGS = SimpleNamespace(
    surrogate_first_steps=800, surrogate_steps=600, surrogate_rate=2e-2, surrogate_batch=128, surrogate_units=32
)
PROP = ne.EmergentProperty(mean=[0.5], variance=[1.0])


class Rows(SimpleNamespace):
    """What the surrogate reads of a replay."""

    def __len__(self):
        return len(self.z)


def learned(rng, **how):
    """Constraints, a surrogate of `learned_rows`, and fresh parameters."""
    constraints, surrogate, _ = learned_rows(rng, **how)
    return constraints, surrogate, rng.uniform(-2, 2, (500, 2))


def learned_rows(rng, noise=0.0, fails=False, n=1500, functions=()):
    """Constraints, a surrogate of f = sin(z1) + z2 + noise (1 + z1^2), and the rows that it has learned from."""
    circuit = ne.circuits.FunctionCircuit(lambda z: z[:, :1], BOX, statistic_names=("f",))
    prop = ne.EmergentProperty(mean=PROP.mean, variance=PROP.variance, functions=functions)
    problem = Problem(circuit, prop, np.random.SeedSequence(0))
    z = rng.uniform(-2, 2, (n, 2))
    f = (np.sin(z[:, 0]) + z[:, 1] + noise * (1 + z[:, 0] ** 2) * rng.normal(size=n))[:, None]
    with np.errstate(invalid="ignore"):
        T = problem.constraints.sufficient_statistics(f)
    valid = np.isfinite(T).all(axis=1) & ((z[:, 0] < 1.0) | (not fails))
    T[~valid] = np.nan
    replay = Rows(z=z, f=f, T=T, valid=valid, log_prior=np.zeros(n))
    eta = np.zeros(len(problem.constraints))
    surrogate = learn(None, replay, eta, problem, noise > 0, SETTINGS, 0)
    return problem.constraints, learn(surrogate, replay, eta, problem, noise > 0, SETTINGS, 1), replay


def test_without_noise_it_is_T_of_the_statistics(rng):
    constraints, surrogate, z = learned(rng)
    f = (np.sin(z[:, 0]) + z[:, 1])[:, None]
    T = constraints.sufficient_statistics(f)
    assert [member.noise for member in surrogate.members] == [None] and surrogate.works is None
    assert explained_share(T, surrogate.expected(constraints, z), np.array([1.0, -0.5])) > 0.99
    np.testing.assert_array_equal(surrogate.evaluate(constraints, z)[1], 0.0)


def test_noise_adds_its_variance_where_it_is(rng):
    constraints, surrogate, z = learned(rng, noise=0.3)
    f = np.sin(z[:, 0]) + z[:, 1]
    variance = (f - 0.5) ** 2 + 0.09 * (1 + z[:, 0] ** 2) ** 2
    error = surrogate.expected(constraints, z)[:, 1] - variance
    # the added variance goes from 0.09 to 2.25: none at all is off by 0.9, its mean everywhere by 0.67
    assert np.sqrt(np.mean(error**2)) < 0.5 and abs(error.mean()) < 0.1


@pytest.mark.parametrize("valid, rate", [(40, 5e-3), (1599, 5e-3), (1600, 2e-2), (50_000, 2e-2)])
def test_many_noisy_rows_are_learned_at_the_full_rate(valid, rate):
    rows = Rows(z=np.zeros((60_000, 2)), valid=np.arange(60_000) < valid)
    assert rate_of(SETTINGS, rows, True) == pytest.approx(rate)
    assert rate_of(SETTINGS, rows, False) == 5e-3  # as it was before noise had another


def test_a_rows_own_noise_has_no_part_in_what_it_is_weighted_by(rng):
    """Of 300 rows' noise f-bar follows a tenth, and nothing where it has not seen them."""
    seen, unseen = [], []
    for seed in range(3):
        constraints, surrogate, replay = learned_rows(np.random.default_rng(seed), noise=0.5, n=300)
        z = replay.z
        noise = replay.f[:, 0] - np.sin(z[:, 0]) - z[:, 1]
        for T, found in (
            (surrogate.expected(constraints, z), seen),
            (surrogate.expected_unseen(constraints, replay, np.zeros(2)), unseen),
        ):
            found.append((T[:, 0] - np.sin(z[:, 0]) - z[:, 1]) @ noise / (noise @ noise))
    assert np.mean(seen) > 0.08 and abs(np.mean(unseen)) < 0.04, (seen, unseen)


def test_noise_is_not_less_by_what_the_mean_has_followed(rng):
    """Of 200 rows, in which a mean that has seen them leaves 0.15 to 0.19 of a variance of 0.25."""
    z = rng.uniform(-2, 2, (200, 2))
    f = np.sin(z[:, :1]) + 0.5 * rng.standard_normal((200, 1))
    constraints = PROP.constraints(("f",))
    rows = Rows(z=z, f=f, T=constraints.sufficient_statistics(f), valid=np.ones(200, bool), log_prior=np.zeros(200))
    problem = SimpleNamespace(constraints=constraints, seed=lambda *_: np.random.SeedSequence(0))
    surrogate = learn(None, rows, np.zeros(2), problem, True, SETTINGS, 0)
    added = np.mean([member.noise(z) for member in surrogate.members], axis=0)[:, 1] * constraints.scale[1]
    assert 0.21 < added.mean() < 0.35, added.mean()


def member_of(number):
    """A member whose mean of f is its number everywhere."""
    return Member(lambda z: np.full((len(z), 1), float(number)), None)


def test_a_row_is_asked_of_the_member_that_has_not_seen_it_where_others_fail_too(rng, monkeypatch):
    """Member k learns from the rows that work but for every third from k, and goes on from itself."""
    constraints, _, replay = learned_rows(rng, fails=True, n=90)
    settings, seen, begun = SimpleNamespace(**vars(SETTINGS) | {"surrogate_units": 7}), [], []

    def train(network, z, y, *arguments, hidden, **keywords):
        if hidden == 7:  # the means, not the noise
            seen.append(z)
            begun.append(network)
        return lambda z: np.zeros((len(z), y.shape[1]))

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "learn_success", lambda *arguments: None)
    problem = SimpleNamespace(constraints=constraints, seed=lambda *_: np.random.SeedSequence(0))
    first = learn(None, replay, np.zeros(2), problem, True, settings, 0)
    learn(first, replay, np.zeros(2), problem, True, settings, 1)
    assert begun == [None] * 3 + [member.mean for member in first.members]
    numbered = Surrogate(tuple(member_of(k) for k in range(3)), None)
    asked = numbered.expected_unseen(constraints, replay, np.zeros(2))[:, 0]
    assert not replay.valid.all() and set(asked) == {0.0, 1.0, 2.0}
    for k in range(3):
        np.testing.assert_array_equal(seen[k], replay.z[replay.valid][asked != k])
        np.testing.assert_array_equal(seen[3 + k], seen[k])


def test_rows_count_where_their_neighbours_say_so_though_the_surrogate_does_not(rng, monkeypatch):
    """A surrogate that expects ten nats less everywhere than the rows of a corner show."""
    constraints, _, replay = learned_rows(rng, noise=0.1, n=2000)
    corner = (replay.z > 1.0).all(axis=1)
    replay.T[:, 0] = np.where(corner, 10.0, 0.0) + 0.1 * rng.normal(size=2000)
    seen = {}

    def members(old, replay, weights, *arguments):
        return seen.setdefault("weights", weights) is None or old

    monkeypatch.setattr(module, "_members", members)
    monkeypatch.setattr(module, "learn_success", lambda *arguments: None)
    problem = SimpleNamespace(constraints=constraints, seed=lambda *_: np.random.SeedSequence(0))
    blind = Surrogate(tuple(member_of(0.0) for _ in range(3)), None)
    for noisy, share in ((True, 0.9), (False, 0.0)):
        seen.clear()
        learn(blind, replay, np.array([1.0, 0.0]), problem, noisy, SETTINGS, 0)
        assert np.mean(seen["weights"][corner] > 0.3) >= share
        assert np.median(seen["weights"][~corner]) < 0.3 if noisy else np.ptp(seen["weights"]) == 0.0


@pytest.mark.parametrize(
    ("noisy", "n", "dim", "steps"),
    [
        (True, 12_800, 2, 2500),  # of batches of 128
        (True, 110_000, 2, 19_531),
        (True, 1000, 2, 600),
        (True, 12_800, 4, 2500),  # wherever they lie: SC's four parameters lacked steps, too
        (False, 12_800, 2, 600),
    ],
)
def test_fits_of_noisy_rows_see_each_of_them_so_often(rng, monkeypatch, noisy, n, dim, steps):
    constraints, _, _ = learned_rows(rng, n=300)
    z, taken = rng.uniform(-2, 2, (n, dim)), set()
    T = constraints.sufficient_statistics(z[:, :1])
    replay = Rows(z=z, f=z[:, :1], T=T, valid=np.ones(n, bool), log_prior=np.zeros(n))

    def train(network, z, y, weights, steps, *arguments, **keywords):
        taken.add(steps)
        return lambda z: np.zeros((len(z), y.shape[1]))

    monkeypatch.setattr(module, "train", train)
    problem = SimpleNamespace(constraints=constraints, seed=lambda *_: np.random.SeedSequence(0))
    known = Surrogate(tuple(member_of(0.0) for _ in range(3 if noisy else 1)), None)
    if noisy:
        known = Surrogate(tuple(Member(m.mean, m.mean) for m in known.members), None)
    learn(known, replay, np.zeros(2), problem, noisy, SETTINGS, 1)
    assert taken == {steps}


def test_members_far_apart_count_for_a_nat(rng):
    constraints, surrogate, replay = learned_rows(rng, noise=0.5, n=300)
    mean = surrogate.expected(constraints, replay.z)
    free, held = (surrogate.expected_unseen(constraints, replay, eta) - mean for eta in (np.zeros(2), np.full(2, 20.0)))
    far = np.abs(free @ np.full(2, 20.0)) > 1
    assert far.any() and not far.all()
    np.testing.assert_allclose(np.abs(held @ np.full(2, 20.0))[far], 1.0)
    np.testing.assert_array_equal(held[~far], free[~far])


def test_what_was_learned_from_all_rows_starts_no_members(rng):
    constraints, surrogate, replay = learned_rows(rng, noise=0.0, n=300)
    problem = SimpleNamespace(constraints=constraints, seed=lambda *_: np.random.SeedSequence(0))
    several = learn(surrogate, replay, np.zeros(2), problem, True, SETTINGS, 2)
    again = learn(None, replay, np.zeros(2), problem, True, SETTINGS, 2)
    assert len(several.members) > 1
    np.testing.assert_array_equal(several.members[0].mean.weights, again.members[0].mean.weights)


def test_where_simulations_fail_is_learned(rng):
    _, surrogate, z = learned(rng, fails=True)
    constraints = PROP.constraints(("f",))
    chance = np.exp(surrogate.evaluate(constraints, z)[1])
    clear = np.abs(z[:, 0] - 1.0) > 0.3
    assert np.mean((chance > 0.5) == (z[:, 0] < 1.0), where=clear) > 0.98


def test_the_chance_of_success_is_learned_where_it_is_a_chance(rng):
    z = rng.uniform(-2, 2, (4000, 2))
    chance = np.where(z[:, 0] < 0, 0.1, 0.4)
    valid = rng.random(4000) < chance
    f = np.where(valid | (z[:, 1] > 0), z[:, 1], np.nan)[:, None]  # exists in some that fail, too
    constraints = PROP.constraints(("f",))
    T = np.where(valid[:, None], constraints.sufficient_statistics(np.nan_to_num(f)), np.nan)
    problem = SimpleNamespace(constraints=constraints, seed=lambda *_: np.random.SeedSequence(0))
    replay = Rows(z=z, f=f, T=T, valid=valid, log_prior=np.zeros(4000))
    surrogate = learn(None, replay, np.zeros(2), problem, False, SETTINGS, 0)
    surrogate = learn(surrogate, replay, np.array([0.5, -0.5]), problem, False, SETTINGS, 1)
    learned_chance = np.exp(surrogate.evaluate(constraints, z)[1])
    for side, expected in ((z[:, 0] < 0, 0.1), (z[:, 0] >= 0, 0.4)):
        # 2,000 rows a side: a binomial standard error of 0.007 and 0.011, and the network's own error
        assert learned_chance[side].mean() == pytest.approx(expected, abs=0.05)


def test_values_that_a_users_function_lacks_count_as_failures(rng):
    moment = ne.Moment("log f", lambda f: np.log(f[:, 0]), 0.0, jacobian=lambda f: 1 / f, scale=1.0)
    constraints, surrogate, z = learned(rng, functions=[moment])
    f = np.sin(z[:, 0]) + z[:, 1]
    T, log_success = surrogate.evaluate(constraints, z)
    assert np.isfinite(T).all() and np.mean(log_success[f < -0.5]) < np.log(0.05)
    assert np.mean(np.exp(log_success[f > 0.5])) > 0.9


@pytest.mark.parametrize("share", [1.0, 0.6, 0.0])
def test_explained_share_is_one_less_the_residuals(rng, share):
    known = rng.normal(size=(20_000, 1)) * np.sqrt(share)
    T = known + rng.normal(size=(20_000, 1)) * np.sqrt(1 - share)
    assert explained_share(T, known, np.array([2.0])) == pytest.approx(share, abs=0.03)
