"""What runs a solver: the loop with its budgets, checkpoints, progress, and batches in parts on an executor."""
