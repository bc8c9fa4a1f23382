"""Contact sheets: each picture with the answers drawn in, beside what the network saw."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from mnist_cnn.atomic import replacing
from mnist_cnn.callbacks.drawing import grid
from mnist_cnn.data.errors import DataError
from mnist_cnn.reading.folders import CONTACT_SHEET, is_contact_sheet
from mnist_cnn.reading.results import GREEN, RED, UNSURE, Reading, annotated

COLUMNS, ROWS = 3, 6
PER_PAGE = COLUMNS * ROWS
SIDE, GAP, TEXT = 230, 8, 40
WIDTH, HEIGHT = 2 * SIDE + 3 * GAP, SIDE + 2 * GAP + TEXT
GROUND = (245, 245, 245)


def check_places(path: Path, most: int, option: str) -> None:
    """Refuses, before the work, to put contact sheets of at most so many pictures in the place of other files.

    Raises:
        DataError: There is another file; the message names the option that chooses the path.
    """
    for place in _pages(path, most):
        if place.exists() and not is_contact_sheet(place):
            raise DataError(
                f"{place} is there, and no contact sheet is put in its place: choose another file with {option}"
            )


def write_contact_sheet(cells: Sequence[tuple[str, Reading]], path: Path, option: str) -> str:
    """Writes pages of 18 pictures each: FILE.png, FILE-2.png and so on; says where they are.

    Raises:
        DataError: They cannot be written; the message names the option that chooses the path.
    """
    info, places = PngInfo(), _pages(path, len(cells))
    info.add_text("Software", CONTACT_SHEET)
    for place, page in zip(places, contact_sheet(cells), strict=True):
        try:
            with replacing(place) as file:
                page.save(file, format="PNG", pnginfo=info)
        except OSError as error:
            raise DataError(f"cannot write {place} ({error.strerror}): choose another file with {option}") from error
    return f"{path} to {places[-1].name}" if len(places) > 1 else str(path)


def _pages(path: Path, count: int) -> list[Path]:
    """The files of so many pictures."""
    numbers = range(2, -(-count // PER_PAGE) + 1)
    return [path, *(path.with_name(f"{path.stem}-{number}.png") for number in numbers)]


def contact_sheet(cells: Sequence[tuple[str, Reading]]) -> Iterator[Image.Image]:
    """Draws pages of 18 pictures each, of which name and reading are given."""
    for start in range(0, len(cells), PER_PAGE):
        yield grid([_cell(*cell) for cell in cells[start : start + PER_PAGE]], COLUMNS, gap=0, ground=GROUND)


def _cell(name: str, reading: Reading) -> Image.Image:
    cell = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    draw = ImageDraw.Draw(cell)
    cell.paste(_picture(reading), (GAP, GAP))
    across = next(n for n in range(1, 100) if n * n >= len(reading.images))
    side = min(SIDE // across, SIDE // 2)
    for i, image in enumerate(reading.images):
        seen = Image.fromarray(image).resize((max(1, side - 2),) * 2, Image.Resampling.NEAREST)
        cell.paste(seen, (2 * GAP + SIDE + i % across * side, GAP + i // across * side))
    lines = reading.digits.split("\n")
    more = f" and {len(lines) - 1} more rows" if len(lines) > 1 else ""
    answer = f"{lines[0]}{more}  {reading.confidence:.1%}" if reading.rows else "no digit"
    colour = GREEN if reading.confidence >= UNSURE else RED
    _text(draw, answer, SIDE + GAP + 4, colour, 17, "right")
    _text(draw, name, SIDE + GAP + 25, (90, 90, 90), 12, "left")
    return cell


def _picture(reading: Reading) -> Image.Image:
    """The picture at the size of its place, with boxes and answers drawn at that size."""
    height, width = reading.picture.shape[:2]
    scale = SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(reading.picture).resize(
        size, Image.Resampling.BOX if scale < 1 else Image.Resampling.BICUBIC
    )
    return annotated(small, [(row, row.boxes * (scale / reading.opened.factor)) for row in reading.rows])


def _text(draw: ImageDraw.ImageDraw, text: str, y: int, colour: tuple[int, int, int], size: int, cut: str) -> None:
    """Writes a line, shortened at one end until it fits."""
    font = ImageFont.load_default(size)
    while draw.textlength(text, font=font) > WIDTH - 2 * GAP:
        text = text.rstrip("…")[:-1] + "…" if cut == "right" else "…" + text.lstrip("…")[1:]
    draw.text((GAP, y), text, fill=colour, font=font)
