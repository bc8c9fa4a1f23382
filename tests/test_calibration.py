"""Temperature scaling, the calibration error and the reliability curve."""

from pathlib import Path

import pytest
import torch
from conftest import saved_as
from torch.nn import functional as F
from torchmetrics.classification import MulticlassCalibrationError

from mnist_cnn import DigitClassifier
from mnist_cnn.calibration import Reliability, fit_temperature
from mnist_cnn.callbacks.drawing import draw_reliability
from mnist_cnn.networks import MLP

IMAGES = torch.randint(0, 256, (20, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def too_sure(factor: float, count: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that are `factor` times what they should be, and labels."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(count, 10, generator=generator)
    labels = logits.softmax(dim=1).multinomial(1, generator=generator).squeeze(1)
    return factor * logits, labels


@pytest.mark.parametrize("factor", [0.4, 1.0, 2.5])
def test_the_temperature_undoes_what_made_a_network_too_sure(factor: float) -> None:
    logits, labels = too_sure(factor)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(factor, rel=0.02)
    assert found == pytest.approx(fit_temperature(logits.log_softmax(dim=1), labels), rel=1e-4)
    losses = [float(F.cross_entropy(logits / (found * change), labels)) for change in (1.0, 0.99, 1.01)]
    assert losses[0] == min(losses)


def test_temperatures_have_bounds_and_need_images() -> None:
    logits, labels = torch.eye(10), torch.arange(10)
    assert fit_temperature(logits, labels) == pytest.approx(0.05)
    assert fit_temperature(-logits, labels) == pytest.approx(20.0)
    for bad in (logits[:0], logits * torch.nan):
        with pytest.raises(ValueError, match="at least one image"):
            fit_temperature(bad, labels[: len(bad)])


def test_the_curve_s_error_is_torchmetrics_expected_calibration_error() -> None:
    logits, labels = too_sure(2.0)
    probabilities = logits.softmax(dim=1)
    confidence, answer = probabilities.max(dim=1)
    curve = Reliability.of(confidence, answer == labels)
    reference = MulticlassCalibrationError(10, n_bins=15)(probabilities, labels)
    assert curve.error == pytest.approx(float(reference), abs=1e-5)
    assert float(curve.share.sum()) == pytest.approx(1.0)
    assert Reliability.of(torch.ones(3), torch.ones(3, dtype=torch.bool)).error == 0.0


def test_the_curve_shows_the_gap_to_the_diagonal_red() -> None:
    picture = draw_reliability(Reliability.of(torch.full((10,), 0.5), torch.arange(10) < 2))
    middle = 52 + 7 * 28 + 6
    above, gap, bar = (picture.getpixel((middle, 24 + 420 - round(420 * height))) for height in (0.7, 0.35, 0.1))
    assert above == (255, 255, 255)
    assert gap[0] > gap[2] + 50
    assert bar[2] > bar[0] + 50


def test_the_temperature_divides_the_logits_outside_training() -> None:
    network = MLP(hidden=(8,))
    plain, cooled = DigitClassifier(network), DigitClassifier(network, temperature=2.0)
    assert torch.equal(plain(IMAGES), cooled(IMAGES))
    logits = network(IMAGES)
    torch.testing.assert_close(plain.eval()(IMAGES), logits.log_softmax(dim=1))
    torch.testing.assert_close(cooled.eval()(IMAGES), (logits / 2).log_softmax(dim=1))
    assert torch.equal(plain(IMAGES).argmax(1), cooled(IMAGES).argmax(1))


def test_checkpoints_remember_the_temperature(tmp_path: Path) -> None:
    path = saved_as(tmp_path / "model.ckpt", DigitClassifier(temperature=1.5))
    content = torch.load(path, weights_only=True)
    assert content["hyper_parameters"]["temperature"] == 1.5
    assert DigitClassifier.load_from_checkpoint(path).hparams["temperature"] == 1.5
    del content["hyper_parameters"]["temperature"]  # as older checkpoints
    torch.save(content, tmp_path / "old.ckpt")
    assert DigitClassifier.load_from_checkpoint(tmp_path / "old.ckpt").hparams["temperature"] == 1.0
