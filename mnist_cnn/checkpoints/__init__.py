"""Checkpoints: found by name, and read without trusting what they say."""
# ruff: noqa: F401 (these names are for the rest of the package)

from mnist_cnn.checkpoints.finding import (
    DETECTOR,
    PRETRAINED,
    RECOGNIZER,
    all_of_name,
    elsewhere,
    find_checkpoint,
    find_to_resume,
    newest_run,
    note_elsewhere,
)
from mnist_cnn.checkpoints.reading import CheckpointError, CheckpointNotFoundError, noted, read_checkpoint
from mnist_cnn.checkpoints.trust import (
    INSTANTIATOR,
    check_hyperparameters,
    checkpoint_arguments,
    foreign_training,
    is_known_class,
)
