import numpy as np
import pytest
from drawn import Mnist

from mnist_cnn.reading.form import mnist_form, to_mnist


def test_digits_of_mnist_stay_bit_for_bit(mnist: Mnist) -> None:
    for digit in mnist[0][:200, 0].numpy():
        picture = np.repeat(digit[..., None], 3, axis=2)
        for shown in (picture, 255 - picture):
            form = mnist_form(shown)
            assert form is not None
            assert (form == digit).all()


def test_other_pictures_of_that_size_are_none_of_mnist(mnist: Mnist) -> None:
    digit = np.repeat(mnist[0][0, 0].numpy()[..., None], 3, axis=2)
    coloured = digit.copy()
    coloured[10, 10] = (200, 10, 10)
    for picture in (np.roll(digit, 5, axis=1), digit // 2 + 60, coloured, np.zeros((28, 28, 3), np.uint8), digit[:27]):
        assert mnist_form(picture) is None


@pytest.mark.parametrize("scale", [1, 3])
def test_ink_gets_its_size_and_place(mnist: Mnist, scale: int) -> None:
    alike = []
    for digit in mnist[0][:100, 0].numpy():
        ink = np.kron(digit / 255, np.ones((scale, scale))).astype(np.float32)
        form = to_mnist(np.pad(ink, ((9, 0), (0, 30))))
        alike.append(np.corrcoef(form.ravel(), digit.ravel())[0, 1])
        assert form.max() == 255
    assert np.median(alike) > 0.98  # a few are a pixel beside, where the middle of mass is between two


def test_no_ink_is_a_black_image() -> None:
    assert not to_mnist(np.zeros((20, 30), np.float32)).any()


def block(height: int, width: int, top: int, left: int) -> np.ndarray:
    """A picture of 28x28 with a white block."""
    picture = np.zeros((28, 28, 3), np.uint8)
    picture[top : top + height, left : left + width] = 255
    return picture


@pytest.mark.parametrize(("long", "is_mnist"), [(18, False), (19, True), (20, True), (21, False)])
def test_a_digit_of_mnist_is_nineteen_or_twenty_pixels_long_and_in_the_middle(long: int, is_mnist: bool) -> None:
    start = 14 - long // 2
    for picture in (block(long, 8, start, 10), block(8, long, 10, start)):
        assert (mnist_form(picture) is not None) == is_mnist
        for axis in (0, 1):
            assert mnist_form(np.roll(picture, 2, axis=axis)) is None
    tinted = block(20, 8, 4, 10)
    assert mnist_form(tinted) is not None
    tinted[10, 12, 1] -= 1
    assert mnist_form(tinted) is None


@pytest.mark.parametrize(
    ("size", "wanted"), [((60, 24), (20, 8)), ((12, 30), (8, 20)), ((90, 1), (20, 1)), ((1, 50), (1, 20))]
)
def test_ink_fits_a_box_of_twenty_pixels_whatever_its_size(size: tuple[int, int], wanted: tuple[int, int]) -> None:
    form = to_mnist(np.pad(np.full(size, 0.6, np.float32), ((3, 40), (70, 5))))
    rows, columns = form.any(axis=1).nonzero()[0], form.any(axis=0).nonzero()[0]
    assert (len(rows), len(columns)) == wanted
    assert (rows[0], columns[0]) == tuple(round(14 - (side - 1) / 2) for side in wanted)
    assert form.max() == 255


@pytest.mark.parametrize("turns", range(4))
def test_ink_that_is_heavy_on_one_side_stays_inside(turns: int) -> None:
    ink = np.zeros((40, 40), np.float32)
    ink[:, 18:22] = 0.5
    ink[36:] = 1
    form = to_mnist(np.rot90(ink, turns).copy())
    heavy = np.rot90(form, -turns)
    assert (heavy.any(axis=1).nonzero()[0] == np.arange(20)).all()
    assert (heavy[18:20].max(axis=0) > 200).sum() == 20
    assert not heavy[20:].any()


def test_only_what_is_surely_ink_makes_the_box() -> None:
    ink = np.full((50, 50), 0.25, np.float32)
    ink[20:40, 22:32] = 1
    form = to_mnist(ink)
    assert (form > 0).sum() == 200
