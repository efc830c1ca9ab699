"""Superior colliculus: the circuit, its equations and derivatives, and its matrix of connections."""
