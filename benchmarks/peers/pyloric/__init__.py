"""One animal's rhythm of the pyloric network, by numepi and by sbi: ``python -m benchmarks.peers.pyloric``."""
