"""The LightningDataModule: splits, and loaders that fetch a whole batch by one indexing operation."""

from pathlib import Path
from typing import Any

import lightning as L
import torch
from jsonargparse.typing import NonNegativeInt, PositiveInt
from lightning.pytorch.utilities.rank_zero import rank_zero_info
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision.transforms import v2

from mnist_cnn.arguments import check_arguments, plain_numbers, without_paths
from mnist_cnn.data import files, labelled
from mnist_cnn.data.augment import BatchTransform, augmented
from mnist_cnn.data.batches import batch_loader
from mnist_cnn.data.errors import how_to_go_on
from mnist_cnn.data.files import DataError, DatasetName
from mnist_cnn.data.labelled import LabelledPictures
from mnist_cnn.data.splits import stratified_sample
from mnist_cnn.networks import DIGITS
from mnist_cnn.reading.results import Layout


class DigitDataModule(L.LightningDataModule):
    """MNIST, or another data set of 28x28 images in ten classes, as uint8 tensors in memory.

    A batch is a pair: images, uint8 [B, 1, 28, 28] with pixels 0 to 255, and labels, int64 [B].
    """

    def __init__(
        self,
        dataset: DatasetName = "MNIST",
        data_dir: str | None = None,
        batch_size: PositiveInt = 200,
        val_size: NonNegativeInt = 5000,
        augment: BatchTransform | v2.Transform | nn.Module | None = None,
        rendered: NonNegativeInt = 0,
        pictures: list[str] | str | None = None,
        layout: Layout = "digit",
        labelled: str | None = None,
        mixed: NonNegativeInt = 5000,
    ) -> None:
        """The splits of a data set.

        Args:
            dataset: Which data set. MNIST comes with the package; the others are downloaded by torchvision.
                EMNIST means its 280,000 digits.
            data_dir: Folder of the data files, in torchvision's layout. Default: a per-user cache folder,
                `~/.cache/mnist_cnn` on Linux, which all runs share.
            batch_size: Images in a batch, on each device.
            val_size: Training images that are held out for validation, stratified by class; always the same ones.
                0 trains on everything and validates nothing. The test images are never trained on.
            augment: Random changes of the training images, by class path: `RandomAffine` or `RandomElastic` of
                `mnist_cnn.data.augment`, which change a whole batch at once; or any of torchvision, such as
                `torchvision.transforms.v2.RandomRotation` (with `--data.augment.degrees=10`), called for each
                image, uint8 [1, 28, 28]. Default: none.
            rendered: How many training digits are added as photos, scans and drawings of them would show them, after
                `mnist_cnn.data.rendered`; one in five shows none, has the label -1 and teaches doubt. Made once, in
                minutes, and kept in `data_dir`. Those of digits that are held out are validated, not trained on.
            pictures: For `predict`, instead of the test set: a picture of handwriting, a folder (with all
                folders in it) or a pattern such as `photos/*.jpg`; several as a list, `[a.jpg,photos/]`.
            layout: In each of these pictures, read the `digit` that is meant, the `row` of digits that is
                meant, or all rows of a `page`.
            labelled: Your own pictures to learn from or to be tested on: a folder with a folder of pictures for each
                class, or a CSV file with the columns file and digits, as `predict` writes it (and writer, if you
                like). `fit` holds out a fifth of each class for validation, always the same pictures, and those of a
                writer or of a folder together.
            mixed: How many images of the data set, and of those that are `rendered`, an epoch has beside `labelled`.

        Raises:
            ValueError: An argument is not what its type says.
        """
        check_arguments(locals())
        super().__init__()
        self.save_hyperparameters(ignore=["data_dir", "augment", "rendered", "pictures", "layout", "labelled", "mixed"])
        self.save_hyperparameters(plain_numbers(self.hparams))
        self.dataset: DatasetName = dataset
        self.data_dir = Path(data_dir).expanduser() if data_dir else files.default_data_dir()
        self.batch_size, self.val_size = batch_size, val_size
        self.augment, self.rendered = augment, rendered
        self.pictures = without_paths(pictures)
        self.layout: Layout = layout
        self.labelled = without_paths(labelled)
        self.mixed = mixed
        self.classes = list(DIGITS)
        self.own: LabelledPictures | None = None
        self.own_held_out = 0
        self.trained_on: set[str] = set()
        self.picture_set: Dataset | None = None
        self.train_set: TensorDataset | None = None
        self.val_set: TensorDataset | None = None
        self.test_set: TensorDataset | None = None

    def prepare_data(self) -> None:
        """Makes sure that the files are there, and says in one line where they came from."""
        self._check_options(self._stage("predict"))
        if self._predicts_pictures():
            return
        if self.labelled is not None:
            self.own = self._read_labelled(self.labelled, self._stage())
            if self._stage() == "test":
                return
        rank_zero_info(files.prepare(self.dataset, self.data_dir))
        if self.rendered and self._stage() in ("fit", "validate"):
            if self.dataset != "MNIST":
                raise DataError(f"--data.rendered is for MNIST: leave it out with --data.dataset={self.dataset}")
            from mnist_cnn.data import rendered  # with all that draws scenes

            for split in ("train", "val"):
                rank_zero_info(rendered.prepare(self.data_dir, self._rendered(split), split))

    def setup(self, stage: str) -> None:
        """Reads the splits that a stage needs, once.

        Raises:
            DataError: The files are not what they should be, or an option is not for this stage.
        """
        self._check_options(stage)
        self.classes = self._known_classes()
        if self.labelled is not None:
            self._set_up_labelled(self.labelled, stage)
        if stage in ("fit", "validate") and self.train_set is None:
            train_set, val_set = self._split()
            if self.own is None:
                self.train_set = labelled.only_classes(train_set, self.classes)
                self.val_set = labelled.only_classes(val_set, self.classes) if self.val_size else val_set
            else:
                self._mix(self.own, train_set, val_set)
        if stage == "predict" and self.pictures is not None:
            from mnist_cnn.data.picture_set import PictureSet  # with all that reads

            self.picture_set = PictureSet(self.pictures, self.layout, self.classes)
        elif stage == "test" and self.own is not None:
            self.test_set = TensorDataset(*self.own.tensors(self.classes))
        elif stage in ("test", "predict") and self.test_set is None:
            self.test_set = TensorDataset(*files.load(self.dataset, self.data_dir, train=False))
            if stage == "test":
                self.test_set = labelled.only_classes(self.test_set, self.classes)

    def train_dataloader(self) -> DataLoader:
        """Shuffled batches of the training split, in another order every epoch."""
        return batch_loader(self.train_set, self.batch_size, True, self.trainer)

    def val_dataloader(self) -> DataLoader | list[DataLoader]:
        """Batches of the validation split in order; none where `val_size` is 0."""
        return batch_loader(self.val_set, self.batch_size, False, self.trainer) if self.val_size else []

    def test_dataloader(self) -> DataLoader:
        """Batches of the official test set in order."""
        return batch_loader(self.test_set, self.batch_size, False, self.trainer)

    def predict_dataloader(self) -> DataLoader:
        """Batches of what `pictures` may show; without pictures the test batches. Labels are not used."""
        if self._predicts_pictures() and self.picture_set is not None:
            return DataLoader(self.picture_set, batch_size=None)
        return self.test_dataloader()

    def on_after_batch_transfer(self, batch: tuple[Tensor, Tensor], dataloader_idx: int) -> tuple[Tensor, Tensor]:
        """Augments training batches, on the device where they are trained on."""
        if self.augment is None or self.trainer is None or not self.trainer.training or isinstance(batch, Tensor):
            return batch  # a bare tensor is the example that TensorBoard draws the graph with
        return augmented(self.augment, *batch)

    def _check_options(self, stage: str) -> None:
        """Refuses the options of `predict` where they would be ignored."""
        if stage != "predict" and self.pictures is not None:
            raise DataError(
                f"--data.pictures is for predict, and {stage} takes the images of {self.dataset}: use predict, or "
                f"leave it out"
            )
        if self.layout != "digit" and self.pictures is None:
            raise DataError(f"--data.layout={self.layout} is for predict with --data.pictures: leave it out")

    def state_dict(self) -> dict[str, Any]:
        """Which labelled pictures were trained on, so that no test of them is taken for one of others."""
        if self.own is None:
            return {}
        return {"labelled": self.labelled, "trained_on": self.own.digests(~self.own.held_out(self.val_size > 0))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Notes them.

        Raises:
            DataError: Training goes on without them.
        """
        self.trained_on = set(state_dict["trained_on"])
        if self.labelled is None and self._stage("predict") == "fit":
            checkpoint = getattr(self.trainer, "ckpt_path", None)
            raise DataError(how_to_go_on(state_dict["labelled"], checkpoint))

    def _set_up_labelled(self, place: str, stage: str) -> None:
        if self.own is None or stage == "predict":
            self.own = self._read_labelled(place, stage)
        if stage == "fit":
            self.classes = labelled.joined_classes(self.own.classes, self.classes)

    def _read_labelled(self, place: str, stage: str) -> LabelledPictures:
        if stage == "predict":
            raise DataError("--data.labelled is for fit, validate and test: predict reads --data.pictures=PLACE")
        own = labelled.read_labelled(place, self._known_classes())
        labelled.check_use(own, self._known_classes(), place, stage, self.val_size > 0)
        return own

    def _split(self) -> tuple[TensorDataset, TensorDataset]:
        """The training images and those that are held out of them, each with what is rendered of them."""
        images, labels = files.load(self.dataset, self.data_dir, train=True)
        if self.val_size >= len(images):
            raise DataError(
                f"--data.val_size={self.val_size} leaves nothing to train on: {self.dataset} has {len(images):,} "
                f"training images, so give a smaller number"
            )
        held_out = stratified_sample(labels, self.val_size)
        if self.rendered:
            from mnist_cnn.data import rendered

            for split in ("train", "val"):
                more, named = rendered.load(self.data_dir, self._rendered(split), split)
                images, labels = torch.cat([images, more]), torch.cat([labels, named])
                held_out = torch.cat([held_out, torch.full((len(more),), split == "val" and self.val_size > 0)])
        validated = held_out & (labels >= 0)
        return TensorDataset(images[~held_out], labels[~held_out]), TensorDataset(images[validated], labels[validated])

    def _mix(self, own: LabelledPictures, train_set: TensorDataset, val_set: TensorDataset) -> None:
        """Puts labelled pictures into both splits, in that for validation first."""
        images, labels = own.tensors(self.classes)
        held_out = own.held_out(self.val_size > 0)
        self.own_held_out = int(held_out.sum())
        learned = (images[~held_out], labels[~held_out])
        self.train_set = labelled.mixed(learned, train_set, self.classes, self.mixed)
        others = labelled.as_classes(val_set, self.classes)
        self.val_set = labelled.dataset((images[held_out], labels[held_out]), others)

    def _known_classes(self) -> list[str]:
        """Those of the network."""
        return list(getattr(getattr(self.trainer, "lightning_module", None), "classes", DIGITS))

    def _predicts_pictures(self) -> bool:
        return self.pictures is not None and self._stage("predict") == "predict"

    def _rendered(self, split: str) -> int:
        """How many digits to render; a few where a batch of everything is all that is asked for."""
        quick = self.trainer is not None and getattr(self.trainer, "fast_dev_run", False)
        count = min(self.rendered, 100) if quick else self.rendered
        return count if split == "train" else -(-count // 12)

    def _stage(self, alone: str = "fit") -> str:
        """The stage of the trainer; without a trainer the given one."""
        return str(self.trainer.state.fn.value) if self.trainer and self.trainer.state.fn else alone
