"""Draw the pictures of docs/architecture.md as SVG: python -m docs.draw_architecture.

One is the way of the data through a call of `numepi.infer`, the other the floors that imports go down.
"""

from pathlib import Path

from tests.test_architecture import FLOORS

FIGURES = Path(__file__).parent / "figures"
_FILLS = {
    "kernels": "#e3e3e3",
    "simulation": "#d5e8d4",
    "circuit": "#d5e8d4",
    "circuits": "#d5e8d4",
    "flow": "#dae8fc",
    "property": "#fff2cc",
    "prior": "#fff2cc",
    "inference": "#f8cecc",
    "problem": "#f8cecc",
    "solver": "#f8cecc",
    "assessment": "#f8cecc",
    "result": "#e1d5e7",
}
_OTHER = "#f7f7f7"
_WIDTH, _ROW, _BOX, _GAP, _MARGIN = 960, 44, 30, 10, 70  # pixels
_NODE = 92  # width of a box on the way of the data
NODES = {  # the middle of each box
    "circuit": (54, 46), "property": (54, 126), "prior": (54, 206), "problem": (290, 126), "solver": (490, 126),
    "flow": (490, 230), "assessment": (690, 126), "result": (690, 230),
    "analysis": (890, 170), "plotting": (890, 230), "storage": (890, 290),
}  # fmt: skip
WAYS = (  # from, to, what goes there, and where it is written
    ("circuit", "problem", "f, df/dz", (186, 62)),
    ("property", "problem", "T(f), targets", (170, 120)),
    ("prior", "problem", "log p₀", (186, 196)),
    ("problem", "solver", "T(z), failures", (390, 120)),
    ("solver", "flow", "θ", (470, 184)),
    ("flow", "solver", "z, log q, gradients", (570, 184)),
    ("solver", "assessment", "θ, η", (590, 120)),
    ("assessment", "result", "score, certificate", (752, 184)),
    ("result", "analysis", "", None),
    ("result", "plotting", "", None),
    ("result", "storage", "", None),
)
_BESIDE = 10  # how far apart the arrows to and fro are


def floors():
    """The picture of the floors: a row for each, the ground at the bottom."""
    height = _ROW * len(FLOORS) + 2 * _GAP
    parts = [
        f'<path d="M28 {_GAP + 6}V{height - _GAP - 6}" stroke="#555" stroke-width="2" marker-end="url(#head)"/>',
        f'<text x="48" y="{height / 2:.0f}" font-size="14" fill="#555" text-anchor="middle" '
        f'transform="rotate(-90 48 {height / 2:.0f})">may import</text>',
    ]
    for number, floor in enumerate(FLOORS):
        width = (_WIDTH - _MARGIN - _GAP * len(floor)) / len(floor)
        middle = height - _GAP - _ROW * number - _ROW / 2
        for place, name in enumerate(floor):
            parts += _box(name, _MARGIN + place * (width + _GAP) + width / 2, middle, width)
    return _svg(height, parts)


def way_of_the_data():
    """The picture of what goes from where to where in a call of `numepi.infer`."""
    parts = []
    for start, end, what, place in WAYS:
        (x1, y1), (x2, y2) = _ends(start, end)
        parts.append(
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#555" stroke-width="1.5" marker-end="url(#head)"/>'
        )
        if what:
            parts.append(
                f'<text x="{place[0]}" y="{place[1]}" font-size="13" fill="#555" text-anchor="middle">{what}</text>'
            )
    for name, (x, y) in NODES.items():
        parts += _box(name, x, y, _NODE)
    return _svg(330, parts)


def _ends(start, end):
    """Where the arrow between two boxes leaves one and reaches the other: on their edges."""
    (x1, y1), (x2, y2) = NODES[start], NODES[end]
    if x1 == x2:  # one above the other; to and fro side by side
        down = 1 if y2 > y1 else -1
        x = x1 - down * _BESIDE * any((end, start) == way[:2] for way in WAYS)
        return (x, y1 + down * _BOX / 2), (x, y2 - down * _BOX / 2)
    return (x1 + _NODE / 2, y1), (x2 - _NODE / 2, y2)


def _box(name, x, y, width):
    """A box with its name, about its middle."""
    fill = _FILLS.get(name.split(".")[0], _OTHER)
    yield (
        f'<rect x="{x - width / 2:.1f}" y="{y - _BOX / 2:.0f}" width="{width:.1f}" height="{_BOX}" rx="4" '
        f'fill="{fill}" stroke="#999"/>'
    )
    size = min(14, int(1.7 * width / len(name)))  # a letter is about 0.55 of its size wide
    yield f'<text x="{x:.1f}" y="{y + 5:.0f}" font-size="{size}" text-anchor="middle">{name}</text>'


def _svg(height, parts):
    """A whole picture, on white, with the head that arrows have."""
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#555"/></marker></defs>',
        *parts,
        "</svg>",
    ]) + "\n"  # fmt: skip


PICTURES = {"architecture.svg": floors, "way-of-the-data.svg": way_of_the_data}

if __name__ == "__main__":
    for file, picture in PICTURES.items():
        (FIGURES / file).write_text(picture())
