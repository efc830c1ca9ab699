"""HTML for people: escaped text, tables and cards, as notebooks and reports show them."""

import html
from collections.abc import Iterable, Sequence

__all__ = ["Markup", "card", "definitions", "escaped", "table"]


def escaped(value: object) -> str:
    """``value`` as text within HTML: a user's names may hold anything."""
    return html.escape(str(value))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], caption: str) -> str:
    """A table; cells are text, and escaped, but those that are `Markup` stand as they are.

    It scrolls by itself where it is wider than the screen.
    """
    top = "".join(f'<th scope="col">{escaped(name)}</th>' for name in head)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows)
    return (
        '<div style="overflow-x:auto"><table>'
        f"<caption>{escaped(caption)}</caption><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def definitions(pairs: Iterable[tuple[str, object]]) -> str:
    """A table of two columns without a head: what something is called, and what it is.

    Long words break, a module's name on a phone say.
    """
    style = ' style="overflow-wrap:anywhere"'
    rows = "".join(f'<tr><th scope="row">{escaped(name)}</th>{_cell(value, style)}</tr>' for name, value in pairs)
    return f'<div style="overflow-x:auto"><table><tbody>{rows}</tbody></table></div>'


def card(title: str, *parts: str) -> str:
    """What a notebook shows of an object: a title, and parts that are HTML."""
    return f"<div><p><strong>{escaped(title)}</strong></p>{''.join(parts)}</div>"


class Markup(str):
    """Text that is HTML already."""


def _cell(value, style=""):
    return f"<td{style}>{value if isinstance(value, Markup) else escaped(value)}</td>"
