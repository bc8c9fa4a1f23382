import numpy as np
import pytest
import torch

from mnist_cnn.reading.form import mnist_form, to_mnist


def test_digits_of_mnist_stay_bit_for_bit(mnist: tuple[torch.Tensor, torch.Tensor]) -> None:
    for digit in mnist[0][:200, 0].numpy():
        picture = np.repeat(digit[..., None], 3, axis=2)
        for shown in (picture, 255 - picture):
            form = mnist_form(shown)
            assert form is not None
            assert (form == digit).all()


def test_other_pictures_of_that_size_are_none_of_mnist(mnist: tuple[torch.Tensor, torch.Tensor]) -> None:
    digit = np.repeat(mnist[0][0, 0].numpy()[..., None], 3, axis=2)
    coloured = digit.copy()
    coloured[10, 10] = (200, 10, 10)
    for picture in (np.roll(digit, 5, axis=1), digit // 2 + 60, coloured, np.zeros((28, 28, 3), np.uint8), digit[:27]):
        assert mnist_form(picture) is None


@pytest.mark.parametrize("scale", [1, 3])
def test_ink_gets_its_size_and_place(mnist: tuple[torch.Tensor, torch.Tensor], scale: int) -> None:
    alike = []
    for digit in mnist[0][:100, 0].numpy():
        ink = np.kron(digit / 255, np.ones((scale, scale))).astype(np.float32)
        form = to_mnist(np.pad(ink, ((9, 0), (0, 30))))
        alike.append(np.corrcoef(form.ravel(), digit.ravel())[0, 1])
        assert form.max() == 255
    assert np.median(alike) > 0.98  # a few are a pixel beside, where the middle of mass is between two


def test_no_ink_is_a_black_image() -> None:
    assert not to_mnist(np.zeros((20, 30), np.float32)).any()
