"""The network of a checkpoint as one file that runs without this package, checked against the checkpoint."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from lightning.pytorch import Trainer
from torch import Tensor

import mnist_cnn
from mnist_cnn.atomic import replacing
from mnist_cnn.checkpoints import find_checkpoint, read_checkpoint
from mnist_cnn.data.datamodule import DigitDataModule
from mnist_cnn.tasks.classifier import DigitClassifier

Format = Literal["onnx", "pt2"]
NEEDED_FOR_ONNX = ("onnx", "onnxscript", "onnxruntime")
COUNT, ENDS = 1000, (1, 301)
"""How many images a file is checked with at most, and where its batches end: they have any size, one among them."""

TOLERANCE = 1e-4
"""Between log-probabilities of the file and of the checkpoint."""


class ExportError(RuntimeError):
    """A network that cannot be exported; the message is one line that says what to do."""


class DigitTrainer(Trainer):
    """Lightning's Trainer with one more verb."""

    def export(
        self,
        model: DigitClassifier,
        datamodule: DigitDataModule,
        ckpt_path: str | None = None,
        format: Format | None = None,
        output: str | None = None,
    ) -> None:
        """Writes the network of a checkpoint to one file that runs without this package.

        The file takes raw pixels, uint8 [N, 1, 28, 28] for any N, as `images`, and gives `log_probabilities`,
        float32 [N, C]. In it are, too, the names of the C classes, apart by spaces, and the version of this package:
        in ONNX as the metadata `classes` and `version`, in PT2 as extra files of these names. It is read back and
        compared with the checkpoint on up to 1,000 training images.

        Args:
            model: The network gets the weights of the checkpoint.
            datamodule: Where the images are from.
            ckpt_path: `pretrained`, which comes with the package; `best` or `last` of the newest run; or a file.
            format: `onnx`, for ONNX Runtime and what else reads ONNX, or `pt2`, for `torch.export.load` in PyTorch.
                Default: what the ending of the file says, else `onnx`.
            output: The file to write, complete or not at all. Default: `digits.onnx` or `digits.pt2`.

        Raises:
            ExportError: The file cannot be made or written, or its results differ by more than 0.0001.
        """
        path = Path(output or f"digits.{format or 'onnx'}").expanduser()
        format = _checked_format(path, format)
        if ckpt_path is not None:
            file = find_checkpoint(ckpt_path, Path(self.default_root_dir) / "lightning_logs")
            model.load_state_dict(read_checkpoint(file)["state_dict"])
        datamodule.prepare_data()
        datamodule.setup("fit")
        assert datamodule.train_set is not None
        images = datamodule.train_set.tensors[0][:COUNT]
        difference = export(model, path, format, images)
        print(f"largest difference on {len(images):,} training images: {difference:.1e}")
        print(f"exported: {path}, {path.stat().st_size:,} bytes")


def export(model: DigitClassifier, path: Path, format: Format, images: Tensor) -> float:
    """Writes a file, reads it back and compares it with the model, which goes to the CPU and into evaluation mode.

    Returns:
        The largest difference of two log-probabilities of the images, uint8 [N, 1, 28, 28].

    Raises:
        ExportError: The file cannot be made or written, or the difference is above `TOLERANCE`; no file is left.
    """
    model = model.cpu().float().eval()
    try:
        with replacing(path) as file:
            file.write(_quietly_converted(model, format))
            file.flush()
            difference = _difference(model, _load(Path(file.name), format), images)
            if not difference <= TOLERANCE:
                raise ExportError(
                    f"the exported network differs from the checkpoint by {difference:.1e} in a log-probability, more "
                    f"than {TOLERANCE:.0e}: try another --format; nothing was written"
                )
    except OSError as error:
        raise ExportError(
            f"cannot write {path} ({error.strerror or error}): choose another file with --output=FILE.{format}"
        ) from error
    return difference


def _checked_format(path: Path, format: Format | None) -> Format:
    """The format that is given or that the file's ending says; an ExportError where nothing can be written so."""
    ending = path.suffix.lower()
    if format is None and ending not in ("", ".onnx", ".pt2"):
        raise ExportError(
            f"{ending} is neither .onnx nor .pt2: give --output such an ending, or add --format=onnx or pt2"
        )
    format = format or ("pt2" if ending == ".pt2" else "onnx")
    if path.is_dir() or not path.name:
        raise ExportError(f"{str(path)!r} is a folder: choose a file with --output=FILE.{format}")
    if ending in (".onnx", ".pt2") and ending != f".{format}":
        raise ExportError(f"{path} would not be in the format of its name: add --format={ending[1:]}")
    if format == "onnx" and not all(map(find_spec, NEEDED_FOR_ONNX)):
        raise ExportError(
            f'--format=onnx needs the packages {", ".join(NEEDED_FOR_ONNX)}: pip install "mnist_cnn[export]", or '
            f"choose --format=pt2"
        )
    return format


def _quietly_converted(model: DigitClassifier, format: Format) -> bytes:
    try:
        with torch.no_grad(), _quiet():
            return _converted(model, format)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        if format == "onnx" and isinstance(error, ImportError):
            raise ExportError(
                f"the exporter of torch {torch.__version__} does not work with the installed packages ({error}): "
                f"pip install --upgrade {' '.join(NEEDED_FOR_ONNX)}"
            ) from error
        reason = str(error).strip().partition("\n")[0]
        raise ExportError(
            f"{type(model.network).__name__} cannot be exported as {format} for batches of any size "
            f"({type(error).__name__}: {reason[:200]}): use tensor operations that torch.export knows"
        ) from error


def _converted(model: DigitClassifier, format: Format) -> bytes:
    example = torch.zeros(2, 1, 28, 28, dtype=torch.uint8)  # a batch of one would be taken for a constant
    program = torch.export.export(model, (example,), dynamic_shapes=({0: torch.export.Dim("N")},))
    content = io.BytesIO()
    if format == "pt2":
        torch.export.save(program, content, extra_files=_about(model))
        return content.getvalue()
    converted = torch.onnx.export(
        program, dynamo=True, verbose=False, input_names=["images"], output_names=["log_probabilities"]
    )
    assert converted is not None
    for value in (*converted.model.graph.inputs, *converted.model.graph.outputs):
        assert value.shape is not None
        value.shape[0] = "N"  # the exporter does not keep the name
    converted.model.metadata_props.update(_about(model))
    return converted.model_proto.SerializeToString()


def _about(model: DigitClassifier) -> dict[str, str]:
    """What a file says of itself."""
    return {"classes": " ".join(model.classes), "version": mnist_cnn.__version__}


def _load(path: Path, format: Format) -> Callable[[Tensor], Tensor]:
    if format == "pt2":
        with _quiet():
            return torch.export.load(io.BytesIO(path.read_bytes())).module()  # of a path it wants the ending
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


@torch.no_grad()
def _difference(model: DigitClassifier, exported: Callable[[Tensor], Tensor], images: Tensor) -> float:
    parts = [part for part in images.tensor_split(ENDS) if len(part)]
    return max(float((model(part) - exported(part)).abs().max()) for part in parts)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silences what the converters say about themselves."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
