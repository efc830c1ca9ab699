"""What can be observed of a simulation: each statistic's accumulators, written once in plain NumPy."""
