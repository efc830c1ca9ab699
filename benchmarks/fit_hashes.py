"""Whether default fits still have the same bits: ``python -m benchmarks.fit_hashes hashes.json`` writes or compares.

The first call writes SHA-256 hashes of three default fits; later ones, on the same machine and versions, compare and
exit with 1 where a bit differs.  For moves of code that must not change an answer.
"""

import hashlib
import json
import sys
from pathlib import Path

import numepi as ne

FITS = {
    "lds": ne.circuits.LDS,
    "stg": ne.circuits.STG,
    "rnn10": lambda: ne.circuits.RankTwoRNN(n_neurons=10),
}


def fit_hash(circuit):
    """The hash of a default fit's flow, multipliers, score and history."""
    result = ne.infer(circuit, circuit.emergent_property(), rng=0, progress=False)
    digest = hashlib.sha256()
    for array in (result.distribution.theta, result.multipliers, result.constraint, *result.history.values()):
        digest.update(array.tobytes())
    digest.update(repr((result.entropy, result.certificate.kl, result.n_simulations)).encode())
    return digest.hexdigest()


def main(path):
    hashes = {}
    for name, build in FITS.items():
        hashes[name] = fit_hash(build())
        print(name, hashes[name], flush=True)
    path = Path(path)
    if not path.exists():
        path.write_text(json.dumps(hashes, indent=1) + "\n")
        return 0
    before = json.loads(path.read_text())
    different = [name for name in FITS if before[name] != hashes[name]]
    print("the same bits" if not different else f"other bits: {', '.join(different)}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
