"""Two ways of numepi's: the search and the chains of examples/paper, and one call of ``numepi.infer``.

Each is a function of (box, rows, seed): the stored draws of the box, how many more simulations it may make, and the
seed.  It returns a dict with ``draw(n)``, parameters (n, 31), and what is to be said of the run.
"""

import numpy as np

import numepi as ne
from benchmarks.peers.pyloric.question import NOISE, pyloric, pyloric_rounds

__all__ = ["chains", "infer"]

_GENERATIONS = 4  # of 256 networks about those that worked: 350 of them work, which a surrogate can begin with
_VARIANCE = 2 * NOISE**2  # of features over networks and noise, in the animals' variances: half of it is the noise


def chains(box, rows, seed):
    """Kernels, then rounds of chains on a surrogate, on exp(-E[|x|^2 | z] / (2 noise^2)) P(success).

    That is the posterior of one run's features under their noise, but for the mean that is taken of the exponent.  The
    multipliers are given and follow nothing.
    """
    networks = box
    for _ in range(_GENERATIONS):
        networks = pyloric.joined(networks, pyloric.generation(networks, [seed, len(networks.z)]))
    kernels = networks.part(slice(len(box.z), None))
    rounds = pyloric_rounds.begin(networks)._replace(eta=np.repeat([0.0, -0.5 / NOISE**2], len(pyloric.FIXED)))
    for _ in range((rows - len(kernels.z)) // pyloric_rounds.SIMULATED):
        rounds = pyloric_rounds.round_of(rounds, networks, seed, adapt=False)
    settled = pyloric_rounds.settled(rounds, networks, seed, adapt=False)
    ends = np.random.default_rng(seed).permutation(settled.chains)
    last = rounds.networks.part(slice(-pyloric_rounds.SIMULATED, None))
    status = f"{kernels.valid.mean():.0%} of kernels' networks work, {last.valid.mean():.0%} of the last round's"
    support = pyloric.CIRCUIT.support
    return {"draw": lambda n: support.lower + support.width * ends[:n], "status": status}


def infer(box, rows, seed):
    """The default solver with default settings: the means of the observation, and narrow variances."""
    circuit = ne.circuits.Pyloric(features="A")
    animals = circuit.emergent_property()
    prop = ne.EmergentProperty(mean=animals.mean, variance=_VARIANCE * np.asarray(animals.variance))
    columns = [pyloric.CIRCUIT.statistic_names.index(name) for name in circuit.statistic_names]
    known = ne.Simulations(box.z, box.f[:, columns], box.log_density)
    result = ne.infer(circuit, prop, rng=seed, progress=False, max_simulations=rows, simulations=known)
    return {"draw": lambda n: result.sample(n, rng=seed), "status": result.message}
