"""The same circuit with some constants changed."""

__all__ = ["variant"]


def variant(circuit, **changes):
    """A circuit of the same class, with ``changes`` to its constructor's arguments."""
    return type(circuit)(**{**circuit.settings, **changes})
