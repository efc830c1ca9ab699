"""Rows that are kept: a run learns from another's, or from a user's, and refuses what is not of its circuit."""

import numpy as np
import pytest

import numepi as ne

BOX = ne.Support([-3.0, -3.0], [3.0, 3.0])
SMALL = {
    "progress": False, "surrogate_first_steps": 300, "surrogate_steps": 200, "landing_steps": 200, "pool_size": 3000,
    "check_size": 3000, "score_draws": 5000, "kl": 0.1,
}  # fmt: skip


def plane(names=("f",)):
    return ne.circuits.FunctionCircuit(lambda z: z[:, :1] + 0.1 * z[:, 1:] ** 2, BOX, statistic_names=names)


def prop(mean):
    return ne.EmergentProperty(mean=[mean], variance=[0.3])


@pytest.fixture(scope="module")
def first():
    return ne.infer(plane(), prop(0.5), rng=0, max_simulations=2000, **SMALL)


def test_the_table_holds_every_row_of_the_fit_with_its_density(first):
    table = first.simulations_table()
    assert len(table) == first.simulation_counts["fit"] > 500
    np.testing.assert_array_equal(table.statistics, plane().statistics(table.z))
    # Importance weights make the uniform distribution of them: log Z of the box, to five standard errors.
    weights = np.exp(-table.log_density)
    assert abs(weights.mean() - 36) < 5 * weights.std() / np.sqrt(len(weights))


def test_a_second_property_starts_from_what_the_first_simulated(first):
    alone = ne.infer(plane(), prop(0.0), rng=1, max_simulations=2000, **SMALL)
    second = ne.infer(plane(), prop(0.0), rng=1, max_simulations=2000, start=first, **SMALL)
    assert second.success and alone.success
    assert second.n_simulations < alone.n_simulations - 200  # next to no survey of its own
    assert len(second.simulations_table()) == len(first.simulations_table()) + second.simulation_counts["fit"]


def test_rows_of_ones_own_are_learnt_from():
    generator = np.random.default_rng(3)
    z = generator.uniform(-3, 3, (800, 2))
    f = plane().statistics(z)
    f[::50] = np.nan  # failed
    rows = ne.Simulations(z, f, np.full(800, -np.log(36.0)))
    result = ne.infer(plane(), prop(0.5), rng=0, max_simulations=800, simulations=rows, **SMALL)
    assert result.success and result.certificate.kl < 0.1 and result.n_simulations <= 800
    assert len(result.simulations_table()) == 800 + result.simulation_counts["fit"]


def test_rows_without_a_density_are_learnt_from_beside_a_survey_of_its_own():
    z = np.random.default_rng(3).normal(0.5, 0.5, (400, 2))
    rows = ne.Simulations(z, plane().statistics(z), np.full(400, np.inf))
    result = ne.infer(plane(), prop(0.5), rng=0, max_simulations=1200, simulations=rows, **SMALL)
    assert result.success and result.certificate.kl < 0.1
    density = result.simulations_table().log_density
    assert np.isinf(density).sum() == 400 and np.isinf(density[:400]).all()


def test_kept_rows_survive_a_file(first, tmp_path):
    first.save(tmp_path / "first.npz")
    again = ne.load(tmp_path / "first.npz", circuit=plane())
    for name in ("z", "statistics", "log_density"):
        np.testing.assert_array_equal(getattr(again.simulations, name), getattr(first.simulations, name))


def test_what_is_not_of_the_circuit_is_refused(first):
    rows = first.simulations_table()
    wrong = ne.Simulations(np.full((9, 3), 0.5), rows.statistics[:9], rows.log_density[:9])
    for arguments, message in (
        ({"simulations": wrong}, "simulations have 3 parameters and 1 statistics: the circuit has 2"),
        ({"simulations": rows, "start": first}, "start and simulations are both given"),
        ({"simulations": rows, "solver": "augmented-lagrangian"}, "learns from none: use solver='dual'"),
        ({"simulations": ne.Simulations(rows.z + 7, rows.statistics, rows.log_density)}, "outside of the support"),
    ):
        with pytest.raises(ValueError, match=message.replace("(", r"\(")):
            ne.infer(plane(), prop(0.5), progress=False, **arguments)
    with pytest.raises(ValueError, match="start is of"):
        ne.infer(plane(("g",)), prop(0.5), progress=False, start=first)
    with pytest.raises(TypeError, match=r"make them numepi\.Simulations"):
        ne.infer(plane(), prop(0.5), progress=False, simulations=rows.z)


def test_rows_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="statistics has shape"):
        ne.Simulations(np.zeros((3, 2)), np.zeros((4, 1)), np.zeros(3))
    with pytest.raises(ValueError, match="z has no rows"):
        ne.Simulations(np.zeros((0, 2)), np.zeros((0, 1)), np.zeros(0))
    for density in (np.nan, -np.inf):
        with pytest.raises(ValueError, match=r"log_density\[1\] = .*: give finite numbers"):
            ne.Simulations(np.zeros((2, 2)), np.zeros((2, 1)), [np.inf, density])


def test_another_table_does_not_resume_a_checkpoint(first, tmp_path):
    rows, path = first.simulations_table(), tmp_path / "run.npz"
    ne.infer(plane(), prop(0.5), max_simulations=200, simulations=rows, checkpoint=path, **SMALL)
    other = ne.Simulations(rows.z, rows.statistics + 1e-9, rows.log_density)
    with pytest.raises(ValueError, match="simulations is"):
        ne.infer(plane(), prop(0.5), max_simulations=200, simulations=other, checkpoint=path, resume=True, **SMALL)
