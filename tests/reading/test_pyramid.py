"""The pyramid of scales and what is made of it, by a network that says what it is told to."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mnist_cnn.networks.detector import STRIDE, DetectorOutput
from mnist_cnn.reading.detection import BORDER, Detection, detect
from mnist_cnn.reading.form import to_mnist


class Tells:
    """A network that knows digits: score, label and box in pixels of a picture; it finds those of 16 to 40 pixels.

    Their ink fills their boxes and points to their middles.
    """

    def __init__(self, shape: tuple[int, int], factors: list[float], *digits: tuple, stray: tuple = ()) -> None:
        self.shape, self.factors, self.digits, self.stray = shape, factors, digits, stray
        self.heads = SimpleNamespace(weight=torch.zeros(1))
        self.sizes: list[tuple[int, int]] = []
        self.seen: list[torch.Tensor] = []

    def strokes(self, output: DetectorOutput) -> tuple[torch.Tensor, torch.Tensor]:
        return output.ink, output.owner

    def locate(self, pixels: torch.Tensor) -> DetectorOutput:
        height, width = pixels.shape[2:]
        factor = self.factors[len(self.sizes)]
        self.sizes.append((height, width))
        self.seen.append(pixels)
        across, down = (round(side * factor) / side for side in (self.shape[1], self.shape[0]))
        maps = [torch.zeros(1, channels, height // STRIDE, width // STRIDE) for channels in (1, 10, 4, 1)]
        output = DetectorOutput(*maps, torch.zeros(1, 1, height, width), torch.zeros(1, 2, height, width))
        output.centre.fill_(-9)
        output.ink.fill_(-40)
        rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
        for score, label, box in (*self.digits, *((0, 0, box) for box in self.stray)):
            left, right = (BORDER + side * across for side in box[::2])
            top, bottom = (BORDER + side * down for side in box[1::2])
            x, y = (left + right) / 2, (top + bottom) / 2
            here = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
            output.ink[0, 0][here] = 40
            output.owner[0, 0][here] = ((x - columns) / 28).expand(height, width)[here]
            output.owner[0, 1][here] = ((y - rows) / 28).expand(height, width)[here]
            if score and 16 <= max(bottom - top, right - left) <= 40:
                row, column, sure = int(y // STRIDE), int(x // STRIDE), score * (1 - factor / 4)
                output.centre[0, 0, row, column] = math.log(sure / (1 - sure))
                output.digit[0, label, row, column] = 2 + factor
                place = (x / STRIDE - column - 0.5, y / STRIDE - row - 0.5)
                size = (math.log((right - left) / 28), math.log((bottom - top) / 28))
                output.box[0, :, row, column] = torch.tensor((*place, *size))
        return output


SHAPE = (200, 300)
FIRST = 150 / math.sqrt(SHAPE[0] * SHAPE[1])
FACTORS = [*(FIRST / 1.5**k for k in (4, 3, 2, 1, 0)), FIRST * 1.5, FIRST * 1.5**2, FIRST * 1.5**3]


def told(*digits: tuple, stray: tuple = (), finer: int = 2) -> tuple[Detection, Tells]:
    network = Tells(SHAPE, FACTORS, *digits, stray=stray)
    return detect(network, np.full((*SHAPE, 3), 250, np.uint8), 150, finer), network  # type: ignore[arg-type]


def test_a_picture_is_looked_at_on_scales_by_steps_of_one_and_a_half() -> None:
    coarser = [(40, 52), (52, 72), (72, 100), (100, 140), (140, 200)]  # with the border, and a multiple of four
    finer = [(200, 292), (292, 432)]
    for count in (0, 1, 2):
        found, network = told(finer=count)
        assert network.sizes == coarser + finer[:count]
        assert len(found.digits) == 0


@pytest.mark.parametrize(
    ("shape", "side", "coarser", "sizes"),
    [
        ((40, 40), 320, 2, [(52, 52), (72, 72), (96, 96)]),  # enlarged to twice its size
        ((30, 50), 320, 2, [(44, 60), (56, 84), (76, 116)]),  # no digit is so wide that a coarser one is needed
        ((50, 30), 320, 3, [(48, 36), (60, 44), (84, 56), (116, 76)]),
        ((1500, 1500), 750, 8, [(n, n) for n in (48, 60, 84, 116, 164, 240, 352, 516, 768, 1144, 1704)]),
    ],
)
def test_scales_end_where_there_is_nothing_more_to_see(
    shape: tuple[int, int], side: int, coarser: int, sizes: list
) -> None:
    first = min(2.0, side / math.sqrt(shape[0] * shape[1]))
    network = Tells(shape, [first * 1.5**k for k in range(-coarser, 4)])
    detect(network, np.full((*shape, 3), 250, np.uint8), side)  # type: ignore[arg-type]
    assert network.sizes == sizes


def test_digits_are_found_where_they_are_and_nothing_beyond_the_picture() -> None:
    box = (230, 60, 270, 120)
    beyond = [(-16, 60, 4, 110), (296, 60, 316, 110), (100, -40, 130, 10), (100, 180, 130, 232)]
    found, network = told((0.9, 3, box), *((0.8, 5, place) for place in beyond))
    assert len(network.sizes) == 5  # it is large enough, so no finer scale is needed
    assert len(found.digits) == 1
    assert found.digits.boxes[0].tolist() == pytest.approx(box, abs=0.01)
    assert found.digits.probabilities[0].argmax() == 3


def test_small_digits_call_for_a_finer_scale() -> None:
    box = (250, 150, 262, 180)
    found, network = told((0.9, 3, box))
    assert len(network.sizes) == 6
    assert found.digits.boxes[0].tolist() == pytest.approx(box, abs=0.01)
    found, network = told((0.9, 3, (250, 150, 258, 164)), (0.9, 4, (20, 20, 60, 80)))
    assert len(network.sizes) == 5


def test_what_several_scales_say_of_a_digit_is_weighed_by_how_sure_they_are() -> None:
    found, _ = told((0.9, 3, (200, 60, 240, 120)))
    scores = [0.9 * (1 - factor / 4) for factor in FACTORS[2:5]]  # on which it has 37, 24 and 16 pixels
    shares = [math.exp(2 + factor) / (math.exp(2 + factor) + 9) for factor in FACTORS[2:5]]
    expected = sum(s**2 * p for s, p in zip(scores, shares, strict=True)) / sum(s**2 for s in scores)
    assert found.digits.probabilities[0, 3] == pytest.approx(expected, abs=1e-5)
    assert found.digits.probabilities.sum() == pytest.approx(1)
    assert found.digits.scores.tolist() == pytest.approx([max(scores)])


def test_of_digits_on_top_of_each_other_the_surest_is_kept() -> None:
    large, inside, beside = (100, 60, 164, 124), (100, 60, 127, 87), (160, 60, 200, 124)
    found, _ = told((0.9, 3, large), (0.6, 8, inside), (0.7, 5, beside))
    assert found.digits.probabilities.argmax(axis=1).tolist() == [3, 5]
    assert (np.diff(found.digits.scores) < 0).all()
    found, _ = told((0.6, 3, large), (0.9, 8, inside), (0.7, 5, beside))
    assert found.digits.probabilities.argmax(axis=1).tolist() == [8, 5]


def filled(box: tuple[float, ...]) -> np.ndarray:
    """The image of a digit whose ink fills its box, from the coarser of the scales on which it is found."""
    across, down = 122 / SHAPE[1], 82 / SHAPE[0]
    rows, columns = np.arange(100)[:, None] + 0.5, np.arange(140) + 0.5
    left, right = (BORDER + side * across for side in box[::2])
    top, bottom = (BORDER + side * down for side in box[1::2])
    ink = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
    return to_mnist(ink.astype(np.float32))


def test_the_image_of_a_digit_has_its_own_ink_alone() -> None:
    tall, wide = (100, 62, 130, 108), (135, 65, 191, 105)
    around = ((100, 140, 130, 165), (225, 65, 245, 105), (66, 70, 78, 100), (100, 20, 130, 36))  # too far away
    found, _ = told((0.9, 3, tall), (0.8, 5, wide), stray=around)
    assert found.digits.probabilities.argmax(axis=1).tolist() == [3, 5]
    images = found.images(np.array([1, 0]), np.array([0, 1]))
    for image, box in zip(images, (wide, tall), strict=True):
        assert (image == filled(box)).all()
    alone = found.images(np.array([0]), np.array([0]))
    assert (alone[0] != images[1]).any()  # what the other one has left there
    assert found.images(np.array([], int), np.array([0])).shape == (0, 28, 28)


def test_finer_scales_are_taken_from_the_picture_itself() -> None:
    stripes = np.tile(np.array((0, 255), np.uint8), 150)  # of one pixel each
    picture = np.broadcast_to(stripes[None, :, None], (*SHAPE, 3))
    network = Tells(SHAPE, FACTORS, (0.9, 3, (250, 150, 262, 180)))
    detect(network, picture, 150, finer=2)  # type: ignore[arg-type]
    contrast = [float(pixels[0, 0, 30, 20:-20].float().std()) for pixels in network.seen]
    assert max(contrast[:5]) < 60  # on coarser scales they become grey, and no pattern of their own
    assert contrast[5] > 60


@pytest.mark.parametrize("shape", [(40, 40), (40, 52), (52, 40)])
def test_small_pictures_are_enlarged_smoothly(shape: tuple[int, int]) -> None:
    edge = np.repeat(np.where(np.arange(shape[1]) < 20, 50, 200).astype(np.uint8)[None, :, None], shape[0], axis=0)
    network = Tells(shape, [2 / 1.5**3, 2 / 1.5**2, 2 / 1.5, 2.0][int(max(shape) < 48) :])
    detect(network, np.repeat(edge, 3, axis=2), 320)  # type: ignore[arg-type]
    across = network.seen[-1][0, 0, 46].unique()
    assert ((across > 70) & (across < 180)).any()


def test_of_digits_below_each_other_each_has_its_own_ink() -> None:
    upper, lower = (100, 40, 140, 80), (100, 80, 140, 125)
    found, _ = told((0.9, 3, upper), (0.8, 5, lower))
    images = found.images(np.array([0, 1]), np.array([0, 1]))
    for image, box in zip(images, (upper, lower), strict=True):
        assert (image == filled(box)).all()


def test_where_enough_sure_digits_are_large_a_scale_is_left_out() -> None:
    factors = [1.5**k for k in range(-5, 1)]  # at the third, digits of 60 pixels are found; the last shows all of them

    def sizes(enough: int | None, score: float = 0.99, height: int = 60) -> list[tuple[int, int]]:
        digits = [(score, label, (20 + 90 * label, 60, 60 + 90 * label, 60 + height)) for label in range(3)]
        network = Tells(SHAPE, factors, *digits)
        detect(network, np.full((*SHAPE, 3), 250, np.uint8), 245, 0, enough)  # type: ignore[arg-type]
        return network.sizes

    whole = sizes(None)
    assert len(whole) == 6
    assert sizes(3) == whole[:-1]
    assert sizes(4) == whole
    assert sizes(3, score=0.95) == whole
    assert sizes(3, height=52) == whole


def test_ink_goes_to_the_digit_that_it_points_to_however_far_away() -> None:
    left, right = (100, 60, 140, 100), (140, 60, 180, 100)

    class Crossing(Tells):
        """The left digit's last stroke lies beyond its middle way to the other one."""

        def strokes(self, output: DetectorOutput) -> tuple[torch.Tensor, torch.Tensor]:
            ink, owner = super().strokes(output)
            width = ink.shape[3]
            across = (width - 2 * BORDER) / SHAPE[1]
            columns = torch.arange(width) + 0.5
            reached = (columns > BORDER + 140 * across) & (columns < BORDER + 150 * across) & (ink[0, 0] > 0)
            owner[0, 0][reached] = ((BORDER + 120 * across - columns) / 28).expand_as(ink[0, 0])[reached]
            return ink, owner

    images = []
    for kind in (Tells, Crossing):
        network = kind(SHAPE, FACTORS, (0.9, 3, left), (0.8, 5, right))
        found = detect(network, np.full((*SHAPE, 3), 250, np.uint8), 150, 2)  # type: ignore[arg-type]
        images.append(found.images(np.array([0, 1]), np.array([0, 1])))
    wide, narrow = ((image > 127).any(axis=0).sum() / (image > 127).any(axis=1).sum() for image in images[1])
    assert (images[0][0] == filled(left)).all()
    assert wide > 1.15
    assert narrow < 0.85


@pytest.mark.parametrize("down", [False, True])
def test_ink_that_points_nowhere_goes_to_the_nearer_digit(down: bool) -> None:
    class Undecided(Tells):
        def strokes(self, output: DetectorOutput) -> tuple[torch.Tensor, torch.Tensor]:
            ink, owner = super().strokes(output)
            return ink, torch.zeros_like(owner)

    first, second = (100, 60, 120, 80), (100, 80, 120, 100) if down else (120, 60, 140, 80)
    network = Undecided(SHAPE, [1.5**k for k in range(-5, 1)], (0.9, 3, first), (0.8, 5, second))
    found = detect(network, np.full((*SHAPE, 3), 250, np.uint8), 245, 0)  # type: ignore[arg-type]
    images = found.images(np.array([0, 1]), np.array([0, 1]))
    square = np.zeros((40, 40), np.float32)
    square[10:30, 10:30] = 1  # both are of this size, and end where the other one begins
    for image in images:
        assert (image == to_mnist(square)).all()
