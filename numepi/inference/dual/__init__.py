"""The solver of the convex dual: its phases (rounds, descent, refinement), multipliers, replay and settings."""
