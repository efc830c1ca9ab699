"""What all compiled code shares: compile policy, threads, random numbers, elementary functions, small matrices.

Knows nothing of circuits, flows or solvers.
"""
