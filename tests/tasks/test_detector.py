from pathlib import Path

import pytest
import torch
from conftest import quiet_trainer
from lightning.pytorch.loggers import CSVLogger

from mnist_cnn.checkpoints import DETECTOR, PRETRAINED, CheckpointError
from mnist_cnn.data.scenes import SceneBatch, SceneDataModule
from mnist_cnn.networks.detector import DetectorNet, DetectorOutput, find
from mnist_cnn.tasks.detection_losses import detection_losses, sized
from mnist_cnn.tasks.detection_metrics import DetectionScores
from mnist_cnn.tasks.detector import DigitDetector


def batch_of(boxes: list[tuple[float, ...]], labels: list[int], side: int = 96) -> SceneBatch:
    """One picture with digits whose ink fills their boxes."""
    ink, owner = torch.zeros(1, side, side, dtype=torch.uint8), torch.full((1, side, side), -1)
    for k, (left, top, right, bottom) in enumerate(boxes):
        here = (0, slice(int(top), int(bottom)), slice(int(left), int(right)))
        ink[here], owner[here] = 255, k
    pictures = torch.zeros(1, 3, side, side, dtype=torch.uint8)
    corners = torch.tensor(boxes).reshape(-1, 4)
    picture_of, joined = torch.zeros(2, len(labels), dtype=torch.long)
    joined[:-1] = 1  # one number
    return SceneBatch(pictures, torch.tensor(labels), joined, corners, picture_of, ink, owner)


def perfect(batch: SceneBatch, sure: float = 12.0) -> DetectorOutput:
    """What a network would say that knows the truth."""
    side = batch.pictures.shape[-1]
    centre, digit = torch.full((1, 1, side // 4, side // 4), -sure), torch.zeros(1, 10, side // 4, side // 4)
    box, joined = torch.zeros(1, 4, side // 4, side // 4), torch.zeros(1, 1, side // 4, side // 4)
    grid = torch.arange(side // 4) + 0.5
    owner = torch.zeros(1, 2, side, side)
    pixel = torch.arange(side) + 0.5
    for k, ((left, top, right, bottom), label) in enumerate(
        zip(batch.boxes.tolist(), batch.labels.tolist(), strict=True)
    ):
        x, y = (left + right) / 8, (top + bottom) / 8
        centre[0, 0, int(y), int(x)] = sure
        near = (slice(int(y) - 1, int(y) + 2), slice(int(x) - 1, int(x) + 2))
        digit[0, label][near] = sure
        joined[0, 0][near] = sure if batch.joined[k] else -sure
        box[0, 0][near], box[0, 1][near] = (x - grid)[near[1]], (y - grid)[near[0]][:, None]
        box[0, 2][near] = torch.tensor((right - left) / 28).log()
        box[0, 3][near] = torch.tensor((bottom - top) / 28).log()
        mine = batch.owner[0] == k
        owner[0, 0][mine] = ((4 * x - pixel) / 28).expand(side, side)[mine]
        owner[0, 1][mine] = ((4 * y - pixel) / 28)[:, None].expand(side, side)[mine]
    ink = torch.where(batch.ink > 0, sure, -sure)[:, None].float()
    return DetectorOutput(centre, digit, box, joined, ink, owner)


BOXES = [(10.0, 20.0, 26.0, 46.0), (40.0, 20.0, 64.0, 50.0)]


def test_a_network_that_knows_the_truth_has_no_loss() -> None:
    batch = batch_of(BOXES, [3, 7])
    losses = detection_losses(perfect(batch), batch)
    assert set(losses) == {"centre", "digit", "box", "joined", "ink", "owner"}
    assert all(float(loss) < 0.01 for loss in losses.values()), losses


def test_each_mistake_costs() -> None:
    batch = batch_of(BOXES, [3, 7])
    best = perfect(batch)
    wrong = {
        "centre": best._replace(centre=-best.centre),
        "digit": best._replace(digit=-best.digit),
        "box": best._replace(box=best.box + 1),
        "ink": best._replace(ink=-best.ink),
        "owner": best._replace(owner=best.owner + 1),
    }
    for name, output in wrong.items():
        losses = detection_losses(output, batch)
        assert float(losses.pop(name)) > 0.9, name
        assert all(float(loss) < 0.01 for loss in losses.values()), name


def test_nothing_is_asked_of_digits_that_are_cut_off_or_nearly_of_size() -> None:
    boxes = [(10.0, 20.0, 26.0, 34.0), (40.0, 20.0, 64.0, 50.0), (70.0, 20.0, 90.0, 28.0)]
    batch = batch_of(boxes, [3, -1, 5])
    wanted, near = sized(batch.boxes, batch.labels)
    assert (wanted.tolist(), near.tolist()) == ([False, False, True], [True, True, True])
    batch = batch_of(boxes[:2], [3, -1])
    silent = perfect(batch)._replace(centre=torch.full((1, 1, 24, 24), -12.0))
    loud = silent._replace(centre=silent.centre.clone())
    for x, y in ((18, 27), (52, 35)):
        loud.centre[0, 0, y // 4, x // 4] = 5.0
    assert float(detection_losses(silent, batch)["centre"]) < 0.01
    assert float(detection_losses(loud, batch)["centre"]) < 0.01
    loud.centre[0, 0, 20, 3] = 5.0  # where nothing is
    assert float(detection_losses(loud, batch)["centre"]) > 1


def test_a_scene_without_digits_has_a_loss_that_can_be_trained() -> None:
    batch = batch_of([], [])
    network = DetectorNet()
    loss = torch.stack(list(detection_losses(network(batch.pictures), batch).values())).sum()
    loss.backward()
    assert torch.isfinite(loss)


def test_find_gives_the_boxes_back() -> None:
    batch = batch_of(BOXES, [3, 7])
    (found,) = find(perfect(batch), 0.5)
    order = found.boxes[:, 0].argsort()
    assert torch.allclose(found.boxes[order], batch.boxes, atol=0.05)
    assert found.probabilities.argmax(dim=1)[order].tolist() == [3, 7]


def test_scores_count_what_is_found_missed_and_misnamed() -> None:
    batch = batch_of([*BOXES, (70.0, 60.0, 90.0, 86.0)], [3, 7, -1])
    scores = DetectionScores()
    scores.update(find(perfect(batch), 0.5), batch)
    assert {name: float(value) for name, value in scores.compute().items()} == dict.fromkeys(
        ("precision", "recall", "f_score", "accuracy"), 1.0
    )
    (found,) = find(perfect(batch_of([*BOXES[:1], (70.0, 2.0, 90.0, 28.0)], [4, 1])), 0.5)  # one wrong, one of nothing
    scores.reset()
    scores.update([found], batch)
    values = {name: float(value) for name, value in scores.compute().items()}
    assert values == {"precision": 0.5, "recall": 0.5, "f_score": 0.5, "accuracy": 0.0}
    empty = batch_of([], [])
    scores.reset()
    scores.update([found], empty)
    assert float(scores.compute()["precision"]) == 0


def test_the_network_takes_any_size_and_both_dtypes() -> None:
    network = DetectorNet(stem=4, width=8, dilations=(1,)).eval()
    pixels = torch.randint(0, 256, (2, 3, 36, 60), dtype=torch.uint8)
    output = network(pixels)
    assert [part.shape[1:] for part in output] == [
        *((channels, 9, 15) for channels in (1, 10, 4, 1)),
        (1, 36, 60),
        (2, 36, 60),
    ]
    assert torch.equal(output.ink, network(pixels.float()).ink)


@pytest.fixture(scope="module")
def scenes(mnist_dir: Path) -> SceneDataModule:
    return SceneDataModule(mnist_dir, scenes=8, val_scenes=4, glyphs=120, batch_size=4, num_workers=0)


@pytest.mark.filterwarnings("ignore")  # of Lightning
def test_training_logs_what_it_should(scenes: SceneDataModule, tmp_path: Path) -> None:
    trainer = quiet_trainer(max_epochs=2, logger=CSVLogger(tmp_path), log_every_n_steps=1)
    trainer.fit(DigitDetector(DetectorNet(stem=4, width=8, dilations=(1, 2)), warmup=0.3), scenes)
    assert {"loss/val", "f_score/val", "precision/val", "recall/val", "accuracy/val"} <= set(trainer.callback_metrics)
    assert trainer.global_step == 4


def test_each_epoch_has_other_scenes_and_validation_always_the_same(scenes: SceneDataModule) -> None:
    class Trainer:
        current_epoch, global_rank, world_size = 0, 0, 1

        class fit_loop:
            batch_idx = -1

    scenes.prepare_data()
    scenes.setup("fit")
    scenes.trainer = Trainer  # type: ignore[assignment]
    train, val = scenes.train_dataloader(), scenes.val_dataloader()
    first, checks = next(iter(train)).pictures, next(iter(val)).pictures
    assert torch.equal(first, next(iter(train)).pictures)
    Trainer.current_epoch = 1
    assert not torch.equal(first, next(iter(train)).pictures)
    assert torch.equal(checks, next(iter(val)).pictures)
    second = [*train][1].pictures
    Trainer.fit_loop.batch_idx = 0  # interrupted after the first batch
    assert torch.equal(second, next(iter(train)).pictures)
    Trainer.fit_loop.batch_idx, Trainer.overfit_batches = -1, 1
    assert torch.equal(first, next(iter(scenes.train_dataloader())).pictures)
    scenes.trainer = None


def test_training_can_start_from_weights(tmp_path: Path) -> None:
    known = torch.load(DETECTOR, weights_only=True)["state_dict"]
    started = DigitDetector(weights="pretrained").state_dict()["network.heads.weight"]
    assert torch.equal(started, known["network.heads.weight"].float())
    with pytest.raises(CheckpointError, match="weights of another network than DetectorNet"):
        DigitDetector(weights=str(PRETRAINED))
    with pytest.raises(CheckpointError, match="no checkpoint file"):
        DigitDetector(weights=str(tmp_path / "none.ckpt"))
