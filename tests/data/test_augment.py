import pytest
import torch

from mnist_cnn.data.augment import RandomAffine, RandomElastic


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
