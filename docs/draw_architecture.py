"""Draw docs/figures/architecture.svg, the floors that imports go down: python -m docs.draw_architecture."""

from pathlib import Path

from tests.test_architecture import FLOORS

PICTURE = Path(__file__).parent / "figures" / "architecture.svg"
_FILLS = {
    "kernels": "#e3e3e3",
    "simulation": "#d5e8d4",
    "circuits": "#d5e8d4",
    "flow": "#dae8fc",
    "property": "#fff2cc",
    "inference": "#f8cecc",
    "result": "#e1d5e7",
}
_OTHER = "#f7f7f7"
_WIDTH, _ROW, _BOX, _GAP, _MARGIN = 960, 44, 30, 10, 70  # pixels


def picture():
    """The whole picture as SVG: a row for each floor, the ground at the bottom."""
    height = _ROW * len(FLOORS) + 2 * _GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L10 5L0 10z" fill="#555"/></marker></defs>',
        f'<path d="M28 {_GAP + 6}V{height - _GAP - 6}" stroke="#555" stroke-width="2" marker-end="url(#head)"/>',
        f'<text x="48" y="{height / 2:.0f}" font-size="14" fill="#555" text-anchor="middle" '
        f'transform="rotate(-90 48 {height / 2:.0f})">may import</text>',
    ]
    for number, floor in enumerate(FLOORS):
        parts += _row(floor, height - _GAP - _ROW * (number + 1))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(floor, top):
    width = (_WIDTH - _MARGIN - _GAP * len(floor)) / len(floor)
    for place, name in enumerate(floor):
        left = _MARGIN + place * (width + _GAP)
        fill = _FILLS.get(name.split(".")[0], _OTHER)
        yield (
            f'<rect x="{left:.1f}" y="{top + (_ROW - _BOX) // 2}" width="{width:.1f}" height="{_BOX}" rx="4" '
            f'fill="{fill}" stroke="#999"/>'
        )
        yield (
            f'<text x="{left + width / 2:.1f}" y="{top + _ROW // 2 + 5}" font-size="14" text-anchor="middle">'
            f"{name}</text>"
        )


if __name__ == "__main__":
    PICTURE.write_text(picture())
