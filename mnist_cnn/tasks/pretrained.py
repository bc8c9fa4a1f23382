"""Trained classifiers by name."""

from pathlib import Path

from mnist_cnn.checkpoints import find_checkpoint
from mnist_cnn.tasks.classifier import DigitClassifier


def load_pretrained(checkpoint: str | Path = "pretrained") -> DigitClassifier:
    """Loads a trained classifier, on the CPU and ready to use: `load_pretrained()(images).argmax(dim=1)`.

    Args:
        checkpoint: `pretrained`, which comes with the package and reads people's handwriting; `best` or `last` of the
            newest run in `lightning_logs`; or a file.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        CheckpointError: It is damaged, or of a network of your own: for that take
            `DigitClassifier.load_from_checkpoint`.
    """
    found = find_checkpoint(str(checkpoint), Path("lightning_logs"))
    return DigitClassifier.load_from_checkpoint(found, map_location="cpu").eval()
