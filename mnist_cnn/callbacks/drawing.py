"""Pictures for TensorBoard, drawn with Pillow: confusion matrix, reliability curve, digits, filters."""

import functools
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mnist_cnn.calibration import Reliability
from mnist_cnn.networks import DIGITS

Colour = tuple[int, int, int]
INK, PAPER, BLUE, RED = (34, 34, 34), (255, 255, 255), (31, 90, 166), (196, 48, 43)


def draw_confusion(counts: Tensor, classes: Sequence[str] = DIGITS) -> Image.Image:
    """Draws a confusion matrix, int [C, C]: a row for each true class, a column for each answer."""
    cell, margin, number = 40, 52, len(classes)
    picture = Image.new("RGB", (margin + number * cell + 8, margin + number * cell + 8), PAPER)
    draw = ImageDraw.Draw(picture)
    share = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
    draw.text((margin + number * cell // 2, 14), "predicted", INK, _font(15), anchor="mm")
    draw.text((4, 30), "true", INK, _font(15))
    for row, name in enumerate(classes):
        middle = margin + row * cell + cell // 2
        size = _font(15 if len(name) < 3 else 10)
        draw.text((margin - 14, middle), name[:6], INK, size, anchor="mm")
        draw.text((middle, margin - 14), name[:6], INK, size, anchor="mm")
        for column in range(number):
            count, part = int(counts[row, column]), float(share[row, column])
            # A mistake of 5% of a digit is as dark as can be.
            colour = _blend(BLUE, 0.75 * part) if row == column else _blend(RED, min(1.0, 20 * part) ** 0.5)
            left, top = margin + column * cell, margin + row * cell
            draw.rectangle((left, top, left + cell - 2, top + cell - 2), colour if count else (244, 244, 244))
            if count:
                ink = PAPER if sum(colour) < 450 else INK
                draw.text((left + cell // 2 - 1, middle), str(count), ink, _font(13), anchor="mm")
    return picture


def draw_reliability(reliability: Reliability) -> Image.Image:
    """Draws a reliability curve: accuracy over confidence in bins, and how far it is from the diagonal.

    The gap is red; the share of all answers stands at the foot of each bin.
    """
    side, margin = 420, 52
    picture = Image.new("RGB", (margin + side + 12, side + margin + 24), PAPER)
    draw = ImageDraw.Draw(picture)
    left, bottom, width = margin, 24 + side, side // len(reliability.share)
    bins = zip(reliability.share, reliability.confidence, reliability.accuracy, strict=True)
    for i, (share, sure, right) in enumerate(bins):
        if share:
            x, accuracy, confidence = left + i * width, bottom - float(right) * side, bottom - float(sure) * side
            ends = sorted((accuracy, confidence))
            draw.rectangle((x + 1, min(accuracy, bottom - 1), x + width - 2, bottom), _blend(BLUE, 0.6))
            draw.rectangle((x + 1, ends[0], x + width - 2, ends[1]), _blend(RED, 0.6))
            draw.text((x + width // 2, bottom - 8), f"{float(share):.0%}", INK, _font(10), anchor="mm")
    draw.line((left, bottom, left + side, bottom - side), INK)
    draw.rectangle((left, bottom - side, left + side, bottom), outline=INK)
    for i in range(6):
        draw.text((left + i * side // 5, bottom + 12), f"{i / 5:.1f}", INK, _font(13), anchor="mm")
        draw.text((left - 18, bottom - i * side // 5), f"{i / 5:.1f}", INK, _font(13), anchor="mm")
    draw.text((left + side // 2, bottom + 36), "confidence", INK, _font(15), anchor="mm")
    title = f"accuracy; expected calibration error {reliability.error:.2%}"
    draw.text((4, 12), title, INK, _font(15), anchor="lm")
    return picture


def draw_mistakes(
    images: Tensor, labels: Tensor, predicted: Tensor, confidence: Tensor, classes: Sequence[str] = DIGITS
) -> Image.Image:
    """Draws digits, uint8 [N, 1, 28, 28], with what they are, what they were taken for and how surely, 0 to 1."""
    answers = zip(labels, predicted, confidence, strict=True)
    captions = [f"{classes[int(label)]} read as {classes[int(a)]}, {float(sure):.1%}" for label, a, sure in answers]
    return grid([_digit(image, caption, 112) for image, caption in zip(images, captions, strict=True)], columns=5)


def draw_digits(images: Tensor, labels: Tensor) -> Image.Image:
    """Draws digits, [N, 1, 28, 28] from 0 to 255, each with its label; that of an image without a digit is -1."""
    captions = [str(int(label)) if label >= 0 else "none" for label in labels]
    pixels = images.clamp(0, 255).byte()
    return grid([_digit(image, caption, 84) for image, caption in zip(pixels, captions, strict=True)], columns=8)


def draw_rows(strips: Sequence[Tensor], labels: Sequence[str], predicted: Sequence[str]) -> Image.Image:
    """Draws rows, uint8 [3, H, W] of one height, with their digits, and what was read where it is something else."""
    captions = [a if a == b else f"{a} read as {b or 'nothing'}" for a, b in zip(labels, predicted, strict=True)]
    width = max(240, *(strip.shape[2] for strip in strips))
    pictures = [Image.fromarray(strip.permute(1, 2, 0).numpy()) for strip in strips]
    return grid([_tile(*one, width) for one in zip(pictures, captions, strict=True)], columns=3)


def draw_filters(weights: Tensor) -> Image.Image:
    """Draws the kernels of a convolution, their mean over input channels: black is most negative, white positive."""
    kernels = weights.mean(dim=1)
    grey = 127.5 + 127.5 * kernels / kernels.abs().max().clamp(min=1e-12)
    tiles = [Image.fromarray(kernel.round().byte().numpy()) for kernel in grey]
    return grid([tile.resize((48, 48), Image.Resampling.NEAREST).convert("RGB") for tile in tiles], columns=8)


def _digit(image: Tensor, caption: str, side: int) -> Image.Image:
    """A digit, uint8 [1, height, width], as ink on paper, with a line of text below it."""
    ink = Image.fromarray(255 - image[0].numpy())
    return _tile(ink.resize((side, side), Image.Resampling.NEAREST), caption, side)


def _tile(picture: Image.Image, caption: str, width: int) -> Image.Image:
    """A picture in the middle, with a line of text below it."""
    tile = Image.new("RGB", (width, picture.height + 20), PAPER)
    tile.paste(picture, ((width - picture.width) // 2, 0))
    ImageDraw.Draw(tile).text((width // 2, picture.height + 10), caption, INK, _font(13), anchor="mm")
    return tile


def grid(tiles: Sequence[Image.Image], columns: int, gap: int = 6, ground: Colour = PAPER) -> Image.Image:
    """Puts pictures of one size side by side, in rows."""
    width, height = tiles[0].width + gap, tiles[0].height + gap
    rows = -(-len(tiles) // columns)
    picture = Image.new("RGB", (min(columns, len(tiles)) * width + gap, rows * height + gap), ground)
    for i, tile in enumerate(tiles):
        picture.paste(tile, (gap + i % columns * width, gap + i // columns * height))
    return picture


def _blend(colour: Colour, strength: float) -> Colour:
    red, green, blue = (round(255 + (channel - 255) * strength) for channel in colour)
    return red, green, blue


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
