"""The detector that comes with the package, on small pictures drawn from MNIST's training digits."""

import itertools
import math
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from drawn import enlarged, finished, on_paper

from mnist_cnn.networks.detector import STRIDE, DetectorOutput, continued
from mnist_cnn.reading.detection import Detection, _merged, detect
from mnist_cnn.reading.form import to_mnist
from mnist_cnn.reading.models import pretrained_detector
from mnist_cnn.reading.results import LAYOUTS
from mnist_cnn.reading.sighting import SCORE, Sighting, look

Mnist = tuple[torch.Tensor, torch.Tensor]


def digit(mnist: Mnist, label: int, height: int) -> np.ndarray:
    images, labels = mnist
    return enlarged(images[(labels == label).nonzero()[3].item(), 0].numpy(), height)


def row_of(mnist: Mnist, text: str, height: int, gap: int) -> np.ndarray:
    """Ink of a row of digits."""
    parts = [digit(mnist, int(label), height) for label in text]
    parts = [np.pad(part, ((0, max(0, height + 8 - part.shape[0])), (0, gap)))[: height + 8] for part in parts]
    return np.concatenate(parts, axis=1)


def said(sighting: Sighting) -> list[str]:
    """The rows as the detector alone names them."""
    names = "".join(map(str, sighting.digits.probabilities.argmax(axis=1)))
    ends = np.cumsum([0, *sighting.lengths])
    return [names[start:stop] for start, stop in itertools.pairwise(ends)]


@pytest.mark.parametrize("height", [18, 40, 100, 280])
def test_a_digit_of_any_size_and_where_it_is(mnist: Mnist, height: int) -> None:
    ink = digit(mnist, 3, height)
    place = (60, 90)
    page = finished(on_paper(ink, (height + 150, height + 170), place))
    for picture in (page, 255 - page):
        sighting = look(pretrained_detector(), picture, "digit")
        assert said(sighting) == ["3"]
        wanted = np.array((place[1], place[0], place[1] + ink.shape[1], place[0] + ink.shape[0]))
        assert np.abs(sighting.digits.boxes[0] - wanted).max() < 0.2 * height + 2
        assert sighting.images.shape == (1, 28, 28)
        assert sighting.images.max() == 255


@pytest.mark.parametrize("gap", [6, 60])
def test_a_row_is_read_from_left_to_right(mnist: Mnist, gap: int) -> None:
    ink = row_of(mnist, "20613", 44, gap)
    page = finished(on_paper(ink, (130, ink.shape[1] + 80), (40, 40)))
    sighting = look(pretrained_detector(), page, "row")
    assert said(sighting) == ["20613"]
    assert (np.diff(sighting.digits.boxes[:, 0]) > 0).all()


def test_many_small_digits_in_a_wide_picture_are_found(mnist: Mnist) -> None:
    ink = row_of(mnist, "3061203612036", 24, 60)
    page = finished(on_paper(ink, (300, ink.shape[1] + 300), (140, 150)))
    assert said(look(pretrained_detector(), page, "row")) == ["3061203612036"]


def test_a_page_has_all_its_rows(mnist: Mnist) -> None:
    page = on_paper(row_of(mnist, "3061", 40, 12), (360, 360), (40, 40))
    for top, text in ((140, "2036"), (240, "6120")):
        page += on_paper(row_of(mnist, text, 40, 12), (360, 360), (top, 60)) - on_paper(np.zeros((1, 1)), (360, 360))
    sighting = look(pretrained_detector(), finished(page), "page")
    assert said(sighting) == ["3061", "2036", "6120"]
    assert len(sighting.sureness) == 3


def test_what_holds_several_sure_digits_is_none_however_sure() -> None:
    def merged(boxes: list[tuple[float, ...]]) -> list[int]:
        scores = torch.tensor([0.97, *[0.9] * (len(boxes) - 1)])
        return _merged(scores, torch.full((len(boxes), 10), 0.1), torch.tensor(boxes))[0]

    digits = [(10.0 + 30 * k, 20.0, 34.0 + 30 * k, 56.0) for k in range(3)]
    assert merged([(0, 0, 110, 70), *digits]) == [1, 2, 3]
    rings = [(20.0, 2.0, 50.0, 32.0), (18.0, 34.0, 52.0, 68.0)]  # of an 8
    assert merged([(15, 0, 55, 70), *rings]) == [0]


@pytest.mark.parametrize(("turns", "written"), [(1, "2354637"), (2, "7234"), (3, "2354637")])
def test_a_row_on_its_side_or_upside_down_is_turned(mnist: Mnist, turns: int, written: str) -> None:
    ink = row_of(mnist, written, 44, 10)
    page = finished(on_paper(ink, (130, ink.shape[1] + 80), (40, 40)))
    sighting = look(pretrained_detector(), np.ascontiguousarray(np.rot90(page, -turns)), "row")
    assert (said(sighting), sighting.turns) == ([written], turns)


@pytest.mark.parametrize("size", [(3, 8), (20, 20), (9, 400)])
def test_pictures_of_few_pixels_are_looked_at(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    for layout in LAYOUTS:
        sighting = look(pretrained_detector(), pixels, layout)
        assert len(sighting.images) == sum(sighting.lengths)


@pytest.mark.parametrize("layout", ["digit", "row", "page"])
def test_nothing_is_found_in_nothing(layout: str) -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(60, 220, 240)[None, :, None] + rng.normal(0, 2, (200, 240, 1))
    ruled = np.full((200, 240, 3), 235.0)
    ruled[::25] = (150, 170, 210)
    for picture in (np.full((200, 240, 3), 240.0), np.repeat(ramp, 3, axis=2), ruled):
        sighting = look(pretrained_detector(), finished(picture), layout)  # type: ignore[arg-type]
        assert (sighting.digits.scores < SCORE).all()


def test_what_was_nearly_a_digit_lowers_the_confidence(mnist: Mnist) -> None:
    ink = row_of(mnist, "206", 44, 16)
    page = on_paper(ink, (130, ink.shape[1] + 180), (40, 40))
    faint = 0.08 * (
        on_paper(digit(mnist, 3, 44), page.shape[:2], (40, ink.shape[1] + 44))
        - on_paper(np.zeros((1, 1)), page.shape[:2])
    )
    alone = look(pretrained_detector(), finished(page), "row")
    beside = look(pretrained_detector(), finished(page + faint), "row")
    assert said(alone) == ["206"]
    assert len(beside.lengths) == 1
    assert len(beside.digits) == 4 or beside.sureness[0] < alone.sureness[0]


def test_touching_digits_get_their_own_ink(mnist: Mnist) -> None:
    left, right = (digit(mnist, label, 60) for label in (3, 6))
    apart = row_of(mnist, "36", 60, 30)
    ink = np.zeros((80, 160), np.float32)
    ink[: left.shape[0], : left.shape[1]] = left
    part = ink[: right.shape[0], left.shape[1] - 6 : left.shape[1] - 6 + right.shape[1]]
    np.maximum(part, right, out=part)
    images = [
        look(pretrained_detector(), finished(on_paper(cover, (160, 260), (40, 40))), "row").images
        for cover in (apart, ink)
    ]
    assert len(images[0]) == len(images[1]) == 2
    for one, other in zip(*images, strict=True):
        blurred = [cv2.GaussianBlur(image.astype(np.float32), (0, 0), 1).ravel() for image in (one, other)]
        assert np.corrcoef(*blurred)[0, 1] > 0.85


def test_pictures_go_on_beyond_their_border_as_their_paper_does() -> None:
    y, x = np.mgrid[:60, :90]
    paper = np.repeat((120 + x - 0.5 * y)[..., None], 3, axis=2)
    inked = paper.astype(np.uint8)
    inked[20:40, :25] = inked[:9, 60:80] = 15  # strokes that reach the border
    whole = continued(inked, 10, 12, 14, 16)
    assert whole.shape == (82, 120, 3)
    assert np.array_equal(whole[10:70, 14:104], inked)
    y, x = np.mgrid[-10:72, -14:106]
    beyond = np.repeat((120 + x - 0.5 * y)[..., None], 3, axis=2)
    beyond[10:70, 14:104] = inked
    assert np.abs(whole.astype(int) - beyond).max() <= 4


class Tells:
    """A network that knows digits: score, label and box in pixels of a picture; it finds those of 16 to 40 pixels.

    Their ink fills their boxes and points to their middles.
    """

    def __init__(self, shape: tuple[int, int], factors: list[float], *digits: tuple, stray: tuple = ()) -> None:
        self.shape, self.factors, self.digits, self.stray = shape, factors, digits, stray
        self.heads = SimpleNamespace(weight=torch.zeros(1))
        self.sizes: list[tuple[int, int]] = []

    def strokes(self, output: DetectorOutput) -> tuple[torch.Tensor, torch.Tensor]:
        return output.ink, output.owner

    def locate(self, pixels: torch.Tensor) -> DetectorOutput:
        height, width = pixels.shape[2:]
        factor = self.factors[len(self.sizes)]
        self.sizes.append((height, width))
        across, down = (round(side * factor) / side for side in (self.shape[1], self.shape[0]))
        maps = [torch.zeros(1, channels, height // STRIDE, width // STRIDE) for channels in (1, 10, 4)]
        output = DetectorOutput(*maps, torch.zeros(1, 1, height, width), torch.zeros(1, 2, height, width))
        output.centre.fill_(-9)
        output.ink.fill_(-40)
        rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
        for score, label, box in (*self.digits, *((0, 0, box) for box in self.stray)):
            left, right = (16 + side * across for side in box[::2])
            top, bottom = (16 + side * down for side in box[1::2])
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
    coarser = [(56, 68), (68, 88), (88, 116), (116, 156), (156, 216)]  # with the border, and a multiple of four
    finer = [(216, 308), (308, 448)]
    for count in (0, 1, 2):
        found, network = told(finer=count)
        assert network.sizes == coarser + finer[:count]
        assert len(found.digits) == 0


@pytest.mark.parametrize(
    ("shape", "side", "coarser", "sizes"),
    [
        ((40, 40), 320, 0, [(72, 72), (92, 92)]),  # enlarged to less than twice its size
        ((30, 50), 320, 1, [(52, 68), (64, 84), (80, 108)]),
        ((1500, 1500), 750, 8, [(n, n) for n in (64, 76, 100, 132, 180, 256, 368, 532, 784, 1160, 1720)]),
    ],
)
def test_scales_end_where_there_is_nothing_more_to_see(
    shape: tuple[int, int], side: int, coarser: int, sizes: list
) -> None:
    first = min(1.0, side / shape[0])
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


def test_the_image_of_a_digit_has_its_own_ink_alone() -> None:
    tall, wide = (100, 62, 130, 108), (135, 65, 191, 105)
    stray = ((100, 150, 130, 165), (225, 65, 245, 105))  # too far away to be of either
    found, _ = told((0.9, 3, tall), (0.8, 5, wide), stray=stray)
    assert found.digits.probabilities.argmax(axis=1).tolist() == [3, 5]
    images = found.images(np.array([1, 0]), np.array([0, 1]))
    for image, box in zip(images, (wide, tall), strict=True):
        across, down = 122 / 300, 82 / 200  # of the coarser of the scales on which both are found
        rows, columns = np.arange(116)[:, None] + 0.5, np.arange(156) + 0.5
        left, right = (16 + side * across for side in box[::2])
        top, bottom = (16 + side * down for side in box[1::2])
        ink = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
        assert (image == to_mnist(ink.astype(np.float32))).all()
    alone = found.images(np.array([0]), np.array([0]))
    assert (alone[0] != images[1]).any()  # what the other one has left there
    assert found.images(np.array([], int), np.array([0])).shape == (0, 28, 28)
