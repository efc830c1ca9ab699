"""What the circuits and flows share: compile policy, random numbers, fast elementary functions, lane drivers."""
