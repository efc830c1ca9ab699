"""Primary visual cortex: the circuit, its equations and derivatives."""
