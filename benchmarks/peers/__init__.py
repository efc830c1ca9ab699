"""numepi beside its peers (pyABC, sbi, brute force) on the same compiled simulators: ``python -m benchmarks.peers``."""
