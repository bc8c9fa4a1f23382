"""The detector's losses, written out cell by cell."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from mnist_cnn.data.scenes import SceneBatch
from mnist_cnn.networks.detector import DetectorOutput
from mnist_cnn.tasks.detection_losses import detection_losses, sized

HEIGHT, WIDTH = 64, 96
DIGITS = [  # picture, label, box, and whether it is to be found and whether something may be there
    (0, 0, (4, 4, 14, 20), True, True),  # just high enough
    (0, 1, (30, 8, 32, 28), True, True),  # as narrow as a 1
    (0, 5, (50, 10, 60, 22), False, True),  # too small, but nearly large enough
    (0, -1, (64, 30, 90, 58), False, True),  # cut off
    (0, 2, (66, 4, 72, 12), False, False),  # far too small
    (1, 9, (40, 10, 60, 50), True, True),  # just not too high
    (1, 4, (5, 25, 41, 35), True, True),  # wide
    (1, 6, (2, 2, 30, 56), False, True),  # nearly not too high
    (1, 7, (0, 0, 70, 63), False, False),  # far too high
    (1, -1, (86, 50, 110, 70), False, True),  # with its middle beyond the border
    (1, -1, (-20, -24, 4, 2), False, True),
    (1, 3, (80, 44, 95, 64), True, True),  # at the border
]


def scene() -> tuple[SceneBatch, DetectorOutput]:
    """Overlapping digits of all kinds in two pictures, and a network that knows nothing."""
    generator = torch.Generator().manual_seed(0)
    owner = torch.full((2, HEIGHT, WIDTH), -1)
    for k, (picture, _, (left, top, right, bottom), *_) in enumerate(DIGITS):
        owner[picture, max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = k
    ink = torch.randint(0, 256, owner.shape, generator=generator, dtype=torch.uint8)
    ink[:, ::7] = 127
    labels, boxes = torch.tensor([digit[1] for digit in DIGITS]), torch.tensor([digit[2] for digit in DIGITS]).float()
    pictures = torch.zeros(2, 3, HEIGHT, WIDTH, dtype=torch.uint8)
    picture_of, joined = torch.tensor([digit[0] for digit in DIGITS]), torch.arange(len(DIGITS)) % 3 - 1
    batch = SceneBatch(pictures, labels, joined, boxes, picture_of, ink, owner)
    shapes = [(1, HEIGHT // 4, WIDTH // 4), (10, HEIGHT // 4, WIDTH // 4), (4, HEIGHT // 4, WIDTH // 4)]
    shapes += [(1, HEIGHT // 4, WIDTH // 4), (1, HEIGHT, WIDTH), (2, HEIGHT, WIDTH)]
    return batch, DetectorOutput(*(2 * torch.randn(2, *shape, generator=generator) for shape in shapes))


def centre_loss(output: DetectorOutput) -> float:
    """CenterNet's focal loss (https://arxiv.org/abs/1904.07850, equation 1)."""
    total = 0.0
    for picture, row, column in itertools.product(range(2), range(HEIGHT // 4), range(WIDTH // 4)):
        heat, asked = 0.0, True
        for where, _, (left, top, right, bottom), wanted, near in DIGITS:
            if where != picture:
                continue
            x, y = (left + right) / 8, (top + bottom) / 8
            if wanted:
                sigma = max(0.55, 0.11 * max(bottom - top, 0.9 * (right - left)) / 4)
                away = (column + 0.5 - x) ** 2 + (row + 0.5 - y) ** 2
                is_middle = (column, row) == (math.floor(x), math.floor(y))
                heat = max(heat, 1.0 if is_middle else math.exp(-away / (2 * sigma**2)))
            elif near and left < 4 * column + 2 < right and top < 4 * row + 2 < bottom:
                asked = False
        p = float(output.centre[picture, 0, row, column].sigmoid())
        if heat == 1:
            total -= math.log(p) * (1 - p) ** 2
        elif asked:
            total -= math.log(1 - p) * p**2 * (1 - heat) ** 4
    return total / sum(wanted for *_, wanted, _ in DIGITS)


def cell_losses(batch: SceneBatch, output: DetectorOutput) -> tuple[float, float, float]:
    """Digit, box, and whether its number goes on, over the cells next to a middle."""
    names, boxes, goes_on = [], [], []
    for k, (picture, label, (left, top, right, bottom), wanted, _) in enumerate(DIGITS):
        x, y = (left + right) / 8, (top + bottom) / 8
        size = [math.log(max(3, side) / 28) for side in (right - left, bottom - top)]
        for row, column in itertools.product(range(HEIGHT // 4), range(WIDTH // 4)):
            if wanted and abs(column + 0.5 - x) <= 0.9 and abs(row + 0.5 - y) <= 0.9:
                names.append(-output.digit[picture, :, row, column].log_softmax(dim=0)[label])
                box = torch.tensor([x - column - 0.5, y - row - 0.5, *size])
                boxes.append((output.box[picture, :, row, column] - box).abs())
                if batch.joined[k] >= 0:
                    p = float(output.joined[picture, 0, row, column].sigmoid())
                    goes_on.append(-math.log(p if batch.joined[k] else 1 - p))
    return float(torch.stack(names).mean()), float(torch.stack(boxes).mean()), 0.5 * sum(goes_on) / len(goes_on)


def pixel_losses(batch: SceneBatch, output: DetectorOutput) -> tuple[float, float]:
    """Ink, and the way to the middle of the digit that it is of."""
    entropy, amount, ways = 0.0, 0.0, []
    told, said = output.ink[:, 0].sigmoid().tolist(), output.owner.tolist()
    for picture, row, column in itertools.product(range(2), range(HEIGHT), range(WIDTH)):
        number, ink = int(batch.owner[picture, row, column]), int(batch.ink[picture, row, column]) / 255
        if number >= 0 and not DIGITS[number][3]:
            continue
        p = told[picture][row][column]
        entropy -= ink * math.log(p) + (1 - ink) * math.log(1 - p)
        amount += ink
        if number >= 0 and ink > 0.5:
            left, top, right, bottom = DIGITS[number][2]
            way = ((left + right) / 2 - column - 0.5) / 28, ((top + bottom) / 2 - row - 0.5) / 28
            ways += [abs(said[picture][axis][row][column] - way[axis]) for axis in (0, 1)]
    return 0.5 * entropy / amount, 2 * sum(ways) / len(ways)


def test_which_digits_are_to_be_found() -> None:
    batch, _ = scene()
    wanted, near = sized(batch.boxes, batch.labels)
    assert wanted.tolist() == [digit[3] for digit in DIGITS]
    assert near.tolist() == [digit[4] for digit in DIGITS]


def test_losses_are_those_of_their_definition() -> None:
    batch, output = scene()
    losses = {name: float(loss) for name, loss in detection_losses(output, batch).items()}
    digit, box, joined = cell_losses(batch, output)
    ink, owner = pixel_losses(batch, output)
    cells = {"centre": centre_loss(output), "digit": digit, "box": box, "joined": joined}
    assert losses == pytest.approx(cells | {"ink": ink, "owner": owner}, rel=1e-4)


def test_where_nothing_is_to_be_found_what_is_there_is_background() -> None:
    batch, output = scene()
    nothing = batch._replace(labels=batch.labels[:0], boxes=batch.boxes[:0], picture_of=batch.picture_of[:0])
    nothing = nothing._replace(owner=torch.full_like(batch.owner, -1), ink=torch.zeros_like(batch.ink))
    losses = detection_losses(output, nothing)
    p = output.centre.sigmoid()
    torch.testing.assert_close(losses["centre"], -(p**2 * F.logsigmoid(-output.centre)).sum())
    torch.testing.assert_close(losses["ink"], -0.5 * F.logsigmoid(-output.ink).sum())
    assert [float(losses[name]) for name in ("digit", "box", "owner")] == [0, 0, 0]
