"""KL against rows, for numepi, plain reweighting and sbi's NPE: ``python -m benchmarks.peers.rows``."""
