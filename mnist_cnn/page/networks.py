"""The networks that the page can answer with: found by name whenever they are asked for, loaded once."""

import pkgutil
import sys
from pathlib import Path

import torch

from mnist_cnn.checkpoints import CheckpointError, find_checkpoint
from mnist_cnn.tasks.classifier import DigitClassifier, NetworkError


class Networks:
    """The networks that can answer: the one of the start, the bundled one, and the best of the newest run.

    A run that ends while the page is served is there without a restart, and a file that has changed is loaded again.
    """

    def __init__(
        self, first: str = "pretrained", network: str | None = None, logs: Path = Path("lightning_logs")
    ) -> None:
        """Remembers which one answers unless another is asked for, and the folder of the runs.

        `network` is the import path of a class of the user's own, which may be imported for checkpoints.
        """
        self.first, self.logs = first, logs
        self.own = _network_class(network) if network else None
        self.loaded: dict[str, tuple[tuple[Path, int], torch.nn.Module]] = {}

    def labels(self) -> dict[str, str]:
        """The networks there are now: the page's label of each name."""
        labels: dict[str, str] = {}
        files: set[Path] = set()
        for name in (self.first, "pretrained", "best"):
            try:
                file = self.file(name).resolve()
            except CheckpointError:  # no run has one yet, or the file is gone
                continue
            if file not in files:
                labels[name] = _label(name, file)
                files.add(file)
        return labels

    def file(self, name: str) -> Path:
        """The checkpoint of a name; that there is none is a `CheckpointError`."""
        return find_checkpoint(name, self.logs)

    def model(self, name: str) -> torch.nn.Module | None:
        """The model of a name, in evaluation mode; None for the bundled networks, which answer together.

        Raises:
            CheckpointError: There is no such file, or it holds no model that can be built here.
            NetworkError: The user's own network does not return what it must.
        """
        if name == "pretrained":
            return None
        file = self.file(name)
        try:
            version = file, file.stat().st_mtime_ns
        except OSError as error:
            raise CheckpointError(f"{file} is gone: choose another network") from error
        if name not in self.loaded or self.loaded[name][0] != version:
            self.loaded[name] = version, _load(file, self.own)
        return self.loaded[name][1]


def _label(name: str, file: Path) -> str:
    return f"{name} of {file.parents[1].name}" if name in ("best", "last") else Path(name).name


def _load(file: Path, own: type[torch.nn.Module] | None) -> DigitClassifier:
    try:
        model = DigitClassifier.load_from_checkpoint(file, map_location="cpu", network=own).eval()
    except (RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{file} does not fit its network: give another one with --ckpt_path=FILE") from error
    with torch.inference_mode():
        model(torch.zeros(1, 1, 28, 28, dtype=torch.uint8))
    return model


def _network_class(name: str) -> type[torch.nn.Module]:
    if str(Path.cwd()) not in sys.path:  # as for the command line
        sys.path.append(str(Path.cwd()))
    try:
        kind = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise NetworkError(f"--model.network={name} cannot be imported: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, torch.nn.Module)):
        raise NetworkError(f"--model.network={name} is no torch.nn.Module: give the import path of one")
    return kind
