"""The pyloric network: its constants and equations, the features of its bursts, and the runs between."""
