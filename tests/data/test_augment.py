import pytest
import torch
from torch import nn
from torchvision.transforms import v2

from mnist_cnn.data.augment import BatchTransform, RandomAffine, RandomElastic, augmented
from mnist_cnn.data.files import DataError


def bar() -> torch.Tensor:
    """Eight times a vertical bar, uint8."""
    images = torch.zeros(8, 1, 28, 28, dtype=torch.uint8)
    images[:, :, 6:22, 13:15] = 255
    return images


@pytest.mark.parametrize("kind", [RandomAffine, RandomElastic])
def test_nothing_asked_nothing_changed(kind: type[RandomAffine]) -> None:
    more = {} if kind is RandomAffine else {"bend": 0}
    same = kind(degrees=0, stretch=0, slant=0, shift=0, **more)(bar())
    torch.testing.assert_close(same, bar().float(), atol=1e-3, rtol=0)


def test_each_image_gets_a_draw_of_its_own_and_the_seed_decides() -> None:
    def draw(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return RandomAffine()(bar())

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    assert len({tuple(image.flatten().tolist()) for image in draw(0)}) == 8
    assert 0 <= draw(0).min() <= draw(0).max() <= 255.01


@pytest.mark.parametrize("kind", [RandomAffine, RandomElastic])
def test_one_image_is_changed_like_a_batch_of_one(kind: type[RandomAffine]) -> None:
    image, change = torch.zeros(1, 28, 28, dtype=torch.uint8), kind()
    image[:, 8:20, 12:16] = 255
    torch.manual_seed(3)
    alone = v2.Compose([change, v2.Identity()])(image)
    torch.manual_seed(3)
    assert torch.equal(alone, change(image[None])[0])
    assert not torch.equal(alone, image.float())


def test_pixels_without_a_channel_get_a_word() -> None:
    with pytest.raises(ValueError, match=r"images are \[28, 28\]: give a batch"):
        RandomElastic()(torch.zeros(28, 28))


def test_each_change_does_what_it_says() -> None:
    torch.manual_seed(0)
    none = {"degrees": 0, "stretch": 0, "slant": 0, "shift": 0}
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")

    def moments(images: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Centres and the slope of the bar, columns per row."""
        mass = images[:, 0] / images.sum(dim=(1, 2, 3))[:, None, None]
        y, x = (mass * rows).sum((1, 2)), (mass * columns).sum((1, 2))
        dy, dx = rows - y[:, None, None], columns - x[:, None, None]
        return y, x, (mass * dy * dx).sum((1, 2)) / (mass * dy**2).sum((1, 2)), (mass * dy**2).sum((1, 2))

    still = moments(bar().float())
    y, x, slope, height = moments(RandomAffine(**(none | {"shift": 3})).forward(bar()))
    assert 0.5 < (y - still[0]).abs().max() < 3.01
    assert 0.5 < (x - still[1]).abs().max() < 3.01
    torch.testing.assert_close(height, still[3], atol=0.3, rtol=0)  # interpolation blurs
    _, _, slope, _ = moments(RandomAffine(**(none | {"degrees": 20})).forward(bar()))
    assert 0.1 < slope.abs().max() < 0.37  # tan(20 degrees) = 0.364
    _, _, slope, height = moments(RandomAffine(**(none | {"slant": 0.3})).forward(bar()))
    assert 0.1 < slope.abs().max() < 0.31
    torch.testing.assert_close(height, still[3], atol=0.5, rtol=0)
    _, _, _, height = moments(RandomAffine(**(none | {"stretch": 0.3})).forward(bar()))
    assert height.max() > 1.2 * still[3][0]
    assert height.min() < 0.85 * still[3][0]


def test_bars_are_bent() -> None:
    torch.manual_seed(0)
    bent = RandomElastic(degrees=0, stretch=0, slant=0, shift=0, bend=1.5)(bar())
    mass = bent[:, 0].sum(dim=2)
    middle = (bent[:, 0] * torch.arange(28.0)).sum(dim=2) / mass
    inside = mass > 200
    for line, rows in zip(middle, inside, strict=True):
        assert 0.5 < line[rows].max() - line[rows].min() < 9  # not one straight column any more


def test_strokes_get_thinner_and_thicker() -> None:
    torch.manual_seed(0)
    changed = RandomElastic(degrees=0, stretch=0, slant=0, shift=0, bend=0, thickness=1)(bar())
    ink = changed.sum(dim=(1, 2, 3)) / bar().sum(dim=(1, 2, 3))
    assert ink.min() < 0.8
    assert 1.2 < ink.max() < 2.3
    assert changed.max() <= 255.01


LABELS = torch.arange(8)


@pytest.mark.parametrize("transform", [v2.RandomRotation(30), v2.Compose([v2.RandomAffine(0, (0.2, 0.2))])])
def test_torchvisions_transforms_draw_for_each_image(transform: v2.Transform) -> None:
    torch.manual_seed(0)
    images, labels = augmented(transform, bar(), LABELS)
    assert (images.shape, images.dtype) == ((8, 1, 28, 28), torch.uint8)
    assert torch.equal(labels, LABELS)
    assert len({tuple(image.flatten().tolist()) for image in images}) > 5


def test_a_class_says_that_it_takes_a_batch() -> None:
    class Flip(BatchTransform):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            assert images.ndim == 4
            return images.flip(0)

    images = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1) * bar()
    assert torch.equal(augmented(Flip(), images, LABELS)[0], images.flip(0))


@pytest.mark.parametrize("transform", [v2.MixUp(num_classes=10), v2.CutMix(num_classes=10)])
def test_mixed_images_have_mixed_labels(transform: v2.Transform) -> None:
    torch.manual_seed(0)
    images, labels = augmented(transform, bar(), LABELS)
    assert images.shape == (8, 1, 28, 28)
    torch.testing.assert_close(labels.sum(dim=1), torch.ones(8))
    assert (labels > 0).sum() == 16
    assert images.max() <= 255


@pytest.mark.parametrize(
    ("transform", "text"),
    [
        (v2.RandomCrop(20), r"RandomCrop makes images \[8, 1, 20, 20\] .* of images \[8, 1, 28, 28\]"),
        (nn.Linear(3, 3), "Linear cannot change"),
        (v2.MixUp(num_classes=11), r"labels \[8, 11\]"),
    ],
)
def test_what_does_not_suit_is_one_line(transform: nn.Module, text: str) -> None:
    with pytest.raises(DataError, match=text) as error:
        augmented(transform, bar(), LABELS)
    assert "\n" not in str(error.value)
