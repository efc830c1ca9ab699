"""Stomatogastric subcircuit: the circuit, its physiology, its equations and derivatives, and its spectrum."""
