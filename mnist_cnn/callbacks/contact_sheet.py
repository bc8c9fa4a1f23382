"""Contact sheets: each picture beside what the network saw of it, the answer and its confidence."""

from collections.abc import Iterator, Sequence

from PIL import Image, ImageDraw, ImageFont

from mnist_cnn.reading.candidates import Reading
from mnist_cnn.reading.ink import Picture

COLUMNS, ROWS = 4, 8
SIDE, GAP, TEXT = 150, 8, 40
WIDTH, HEIGHT = 2 * SIDE + 3 * GAP, SIDE + 2 * GAP + TEXT
UNSURE = 0.8
"""Answers with less confidence stand out in red."""


def contact_sheet(cells: Sequence[tuple[str, Picture, Reading]]) -> Iterator[Image.Image]:
    """Draws pages of 32 pictures each.

    Args:
        cells: For each picture its name, a thumbnail (RGB, uint8, at most 150 pixels a side) and its reading.

    Yields:
        The pages, one after the other.
    """
    per_page = COLUMNS * ROWS
    for start in range(0, len(cells), per_page):
        page_cells = cells[start : start + per_page]
        columns, rows = min(COLUMNS, len(page_cells)), -(-len(page_cells) // COLUMNS)
        page = Image.new("RGB", (columns * WIDTH, rows * HEIGHT), (245, 245, 245))
        for i, cell in enumerate(page_cells):
            page.paste(_cell(*cell), (i % COLUMNS * WIDTH, i // COLUMNS * HEIGHT))
        yield page


def _cell(name: str, thumbnail: Picture, reading: Reading) -> Image.Image:
    cell = Image.new("RGB", (WIDTH, HEIGHT), (245, 245, 245))
    draw = ImageDraw.Draw(cell)
    picture = Image.fromarray(thumbnail)
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    cell.paste(picture.resize(size, Image.Resampling.BICUBIC), (GAP, GAP))
    count = len(reading.images)
    across = next(n for n in range(1, 100) if n * n >= count)
    side = SIDE // max(1, across)
    for i, image in enumerate(reading.images):
        seen = Image.fromarray(image).resize((side - 2, side - 2), Image.Resampling.NEAREST)
        cell.paste(seen, (2 * GAP + SIDE + i % across * side, GAP + i // across * side))
    colour = (20, 20, 20) if reading.confidence >= UNSURE else (190, 30, 30)
    answer = f"{reading.digits}  {reading.confidence:.1%}" if reading.digits else "no digit"
    draw.text((GAP, SIDE + GAP + 4), answer, fill=colour, font=ImageFont.load_default(17))
    font = ImageFont.load_default(12)
    while draw.textlength(name, font=font) > WIDTH - 2 * GAP:
        name = "…" + name.lstrip("…")[1:]
    draw.text((GAP, SIDE + GAP + 25), name, fill=(90, 90, 90), font=font)
    return cell
