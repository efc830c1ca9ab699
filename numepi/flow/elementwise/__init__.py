"""Element-wise maps and permutations: scale and shift, weight of the tails, and the map to the support."""
