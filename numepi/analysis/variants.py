"""The same circuit with some constants changed."""

from __future__ import annotations

from typing import Any

__all__ = ["variant"]


def variant(circuit: Any, **changes: Any) -> Any:
    """A circuit of the same class, with ``changes`` to its constructor's arguments."""
    return type(circuit)(**{**circuit.settings, **changes})
