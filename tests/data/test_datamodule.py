from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from conftest import Cli, Fails
from lightning import seed_everything
from modules import module, running
from PIL import Image
from torch.utils.data import TensorDataset

from mnist_cnn import DigitDataModule
from mnist_cnn.data.augment import RandomAffine
from mnist_cnn.data.batches import BatchSampler, FixedBatches
from mnist_cnn.data.files import DataError, default_data_dir, load
from mnist_cnn.data.splits import stratified_sample
from mnist_cnn.networks import DIGITS


def test_splits_are_disjoint_complete_and_stratified(mnist_dir: Path) -> None:
    data = module(mnist_dir)
    images, labels = load("MNIST", mnist_dir, train=True)
    assert (len(data.train_set), len(data.val_set)) == (55_000, 5_000)
    together = torch.cat([data.train_set.tensors[0], data.val_set.tensors[0]]).flatten(1)
    assert torch.equal(together.long().sum(0), images.flatten(1).long().sum(0))
    counts = labels.bincount()
    assert ((data.val_set.tensors[1].bincount() - counts / 12).abs() <= 1).all()
    assert data.test_set is None


def test_the_split_is_the_same_whatever_the_seed(mnist_dir: Path) -> None:
    labels = load("MNIST", mnist_dir, train=True)[1]
    seed_everything(1)
    first = stratified_sample(labels, 1234)
    seed_everything(2)
    assert torch.equal(first, stratified_sample(labels, 1234))
    assert first.sum() == 1234
    assert stratified_sample(labels, 0).sum() == 0
    assert stratified_sample(labels, len(labels)).all()


def test_a_batch_is_raw_pixels_and_nothing_is_dropped(mnist_dir: Path) -> None:
    data = module(mnist_dir, batch_size=999)
    batches = list(data.val_dataloader())
    assert [len(labels) for _, labels in batches] == [999] * 5 + [5]
    images, labels = batches[0]
    assert (images.shape, images.dtype, labels.dtype) == ((999, 1, 28, 28), torch.uint8, torch.int64)
    assert torch.equal(torch.cat([images for images, _ in batches]), data.val_set.tensors[0])

    data = module(mnist_dir, "test", batch_size=999)
    assert torch.equal(torch.cat([labels for _, labels in data.test_dataloader()]), data.test_set.tensors[1])
    assert len(data.test_dataloader()) == len(list(data.predict_dataloader())) == 11


def test_training_is_shuffled_anew_each_epoch_and_the_same_for_a_seed(mnist_dir: Path) -> None:
    def epoch(seed: int, number: int) -> torch.Tensor:
        seed_everything(seed)
        loader = module(mnist_dir, val_size=59_000).train_dataloader()
        loader.sampler.set_epoch(number)
        return torch.cat([images for images, _ in loader])

    first = epoch(1, 0)
    assert torch.equal(first, epoch(1, 0))
    assert not torch.equal(first, epoch(1, 1))
    assert not torch.equal(first, epoch(2, 0))
    assert torch.equal(first.long().sum(0), epoch(2, 5).long().sum(0))


@pytest.mark.parametrize("count", [1, 6, 7, 600, 601, 602, 605])
@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_processes_share_each_epoch_without_overlap_or_loss(count: int, ranks: int) -> None:
    dataset = TensorDataset(torch.arange(count))
    samplers = [BatchSampler(dataset, 100, shuffle=True, num_replicas=ranks, rank=rank) for rank in range(ranks)]
    lists = [sampler.batches() for sampler in samplers]
    assert {len(batches) for batches in lists} == {len(sampler) for sampler in samplers} == {len(lists[0])}
    seen = torch.cat([batch for batches in lists for batch in batches])
    assert torch.equal(seen.sort().values, torch.arange(count))
    if count >= ranks:
        assert all(len(batch) for batches in lists for batch in batches)


def test_val_size_0_trains_on_everything(mnist_dir: Path) -> None:
    data = module(mnist_dir, val_size=0)
    assert len(data.train_set) == 60_000
    assert data.val_dataloader() == []


def test_a_loader_before_setup_is_an_error() -> None:
    with pytest.raises(DataError, match="setup"):
        DigitDataModule().train_dataloader()


def test_only_training_batches_are_augmented(mnist_dir: Path) -> None:
    data = module(mnist_dir, augment=RandomAffine())
    batch = (data.train_set.tensors[0][:8], data.train_set.tensors[1][:8])
    data.trainer = SimpleNamespace(training=True)
    images, labels = data.on_after_batch_transfer(batch, 0)
    assert not torch.equal(images, batch[0])
    assert torch.equal(labels, batch[1])
    data.trainer.training = False
    assert data.on_after_batch_transfer(batch, 0) is batch


def test_options_of_predict_are_refused_elsewhere(mnist_dir: Path, cli: Cli, fails: Fails) -> None:
    Image.new("L", (9, 9)).save("digit.png")
    for stage in ("fit", "validate", "test"):
        with pytest.raises(DataError, match=rf"--data.pictures is for predict, and {stage} takes the images of MNIST"):
            DigitDataModule(data_dir=mnist_dir, pictures="digit.png").setup(stage)
    with pytest.raises(DataError, match=r"--data.layout=row is for predict with --data.pictures"):
        DigitDataModule(data_dir=mnist_dir, layout="row").setup("predict")
    assert "fit does not use --data.pictures, only predict" in fails(cli, "fit", "--data.pictures=digit.png")
    data = DigitDataModule(data_dir=mnist_dir, pictures="digit.png", layout="row")
    data.prepare_data()
    data.setup("predict")
    assert len(list(data.predict_dataloader())) == 1


def test_mnist_is_never_unpacked_among_pictures(tmp_path: Path) -> None:
    for picture in (tmp_path / "flat" / "a.PNG", tmp_path / "classes" / "7" / "b.jpg"):
        picture.parent.mkdir(parents=True)
        picture.touch()
    before = sorted(tmp_path.rglob("*"))
    for folder in ("flat", "classes"):
        with pytest.raises(DataError, match=rf"{folder} holds pictures .*predict --data.pictures="):
            DigitDataModule(data_dir=tmp_path / folder).prepare_data()
    assert sorted(tmp_path.rglob("*")) == before


def test_augmentation_by_the_command_line(cli: Cli) -> None:
    tiny = ["--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1", "--trainer.max_epochs=1"]
    cli("fit", "--data.augment=RandomAffine", "--data.augment.degrees=20", *tiny)
    config = Path("lightning_logs/version_0/config.yaml").read_text()
    assert "class_path: mnist_cnn.RandomAffine" in config
    assert "degrees: 20" in config
    cli("test", "--ckpt_path=best", "--trainer.limit_test_batches=1")


def test_what_is_set_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    data = DigitDataModule()
    assert dict(data.hparams) == {"dataset": "MNIST", "batch_size": 200, "val_size": 5000}
    assert (data.data_dir, data.mixed, data.layout, data.classes) == (default_data_dir(), 5000, "digit", list(DIGITS))
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("USERPROFILE", "/home/somebody")
    assert DigitDataModule(data_dir="~/digits").data_dir == Path("/home/somebody/digits")
    mine = DigitDataModule(labelled=Path("mine"), pictures=[Path("a.png")], layout="row", rendered=3, mixed=4)
    assert set(mine.hparams) == {"dataset", "batch_size", "val_size"}  # a checkpoint remembers no places


def test_an_epoch_goes_on_after_the_batches_that_it_has_had(mnist_dir: Path) -> None:
    data = module(mnist_dir, val_size=59_000)
    assert len(list(data.train_dataloader())) == 5
    whole = [labels.tolist() for _, labels in data.train_dataloader()]
    data.trainer = running("fit", fit_loop=SimpleNamespace(batch_idx=1))
    assert [labels.tolist() for _, labels in data.train_dataloader()] == whole[2:]
    assert len(list(data.val_dataloader())) == 295  # which begins anew
    data.trainer = running("fit", overfit_batches=2)
    assert isinstance(data.train_dataloader().sampler, FixedBatches)
    first = next(iter(data.train_dataloader()))[0]
    assert torch.equal(first, data.train_set.tensors[0][:200])


def test_the_example_of_the_graph_is_not_augmented(mnist_dir: Path) -> None:
    data = DigitDataModule(data_dir=mnist_dir, augment=RandomAffine())
    example = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    batch = (example, torch.zeros(1, dtype=torch.int64))
    assert data.on_after_batch_transfer(batch, 0) is batch  # without a trainer
    data.trainer = running("fit")
    assert data.on_after_batch_transfer(example, 0) is example  # type: ignore[arg-type, comparison-overlap]


def test_without_pictures_the_test_digits_are_predicted(mnist_dir: Path) -> None:
    data = module(mnist_dir, "predict", batch_size=5000)
    assert next(iter(data.predict_dataloader()))[1][:3].tolist() == [7, 2, 1]
