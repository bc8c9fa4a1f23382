"""The arguments in a checkpoint, and the classes that they may have imported."""

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mnist_cnn.checkpoints.reading import HINT, CheckpointError, read_checkpoint

KINDS: dict[str, tuple[type, str]] = {
    "network": (nn.Module, r"mnist_cnn(\.networks(\.\w+)?)?|torch\.nn(\.modules\.\w+)?"),
    "optimizer": (Optimizer, r"torch\.optim(\.\w+)?"),
    "schedule": (LRScheduler, r"torch\.optim\.\w+|lightning\.pytorch\.cli"),  # where ReduceLROnPlateau has a monitor
}
"""The arguments that take a class: of which kind, and from which modules a checkpoint may name one."""

INSTANTIATOR = "lightning.pytorch.cli.instantiate_module"


def checkpoint_arguments(path: Path, resume: bool, trusted: str | Iterable[str] | None = None) -> dict[str, Any]:
    """Reads the arguments of model and data that a checkpoint was made with, as defaults for the parser.

    To `resume` training takes more than weights; what only training needs is left out otherwise, where it is of a
    class that is neither known nor `trusted`, which are the import paths of the classes that the user named.

    Raises:
        CheckpointError: The file is no readable checkpoint of this project, or names what may not be imported.
    """
    content = read_checkpoint(path)
    if resume and not (content.get("optimizer_states") and "fit_loop" in content.get("loops", {})):
        raise CheckpointError(f"{path} has weights, but not the state of training that fit goes on from: {HINT}")
    groups = {"model": "hyper_parameters", "data": "datamodule_hyper_parameters"}
    for name in () if resume else foreign_training(content["hyper_parameters"], path, trusted):
        del content["hyper_parameters"][name]
    for key in groups.values():
        check_hyperparameters(content.get(key, {}), path, trusted)
    return {
        f"{group}.{name}": value
        for group, key in groups.items()
        for name, value in content.get(key, {}).items()
        if name != "_instantiator" and value is not None
    }


def foreign_training(hyperparameters: dict[str, Any], path: Any, trusted: str | Iterable[str] | None) -> list[str]:
    """Which of `optimizer` and `schedule`, which only training needs, name what may not be imported."""
    foreign = []
    for name in hyperparameters.keys() & {"optimizer", "schedule"}:
        try:
            check_hyperparameters({name: hyperparameters[name]}, path, trusted)
        except CheckpointError:
            foreign.append(name)
    return foreign


def check_hyperparameters(hyperparameters: Any, path: Any, trusted: str | Iterable[str] | None = None) -> None:
    """Makes sure that building a model from these imports nothing that the user did not ask for.

    Allowed are the networks of this package, what `torch.nn` and `torch.optim` offer, and what stands in the modules
    of `trusted`, the import paths of the classes that the user named.

    Raises:
        CheckpointError: Something else is named.
    """
    if not isinstance(hyperparameters, dict):
        raise CheckpointError(f"{path} is not a checkpoint of this project: {HINT}")
    trusted = {trusted} if isinstance(trusted, str) else set(trusted or ())
    for key, value in hyperparameters.items():
        if key == "_instantiator":
            if value != INSTANTIATOR:
                raise CheckpointError(f"{path} asks for {value!r} to be called, which nothing here does: {HINT}")
        elif key == "classes" and isinstance(value, list) and all(isinstance(name, str) for name in value):
            continue  # names that may look like import paths, and are never imported
        elif key in KINDS and isinstance(value, dict):
            _check_class(key, value, path, trusted)
        else:
            _check_value(value, path, trusted)


def _check_class(key: str, spec: dict[str, Any], path: Any, trusted: set[str]) -> None:
    name = spec.get("class_path")
    if not (isinstance(name, str) and name in trusted) and not is_known_class(name, key):
        if not isinstance(name, str) or not re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)+", name):
            raise CheckpointError(f"{path} names {str(name)[:80]!r} as its {key}, which is no class: {HINT}")
        raise CheckpointError(
            f"{path} has its own {key}, {name}: a checkpoint alone does not get code imported, so if you trust that "
            f"class, add --model.{key}={name}"
        )
    _check_value({key: value for key, value in spec.items() if key != "class_path"}, path, trusted)


def _check_value(value: Any, path: Any, trusted: set[str]) -> None:
    """Refuses import paths anywhere inside: options that take a class or a function would import them."""
    if isinstance(value, dict):
        for item in (*value, *value.values()):
            _check_value(item, path, trusted)
    elif isinstance(value, list | tuple | set):
        for item in value:
            _check_value(item, path, trusted)
    elif isinstance(value, str) and re.search(r"\w\s*\.\s*[^\W\d]", value):
        homes = {name.rpartition(".")[0] for name in trusted}
        if not is_known_class(value) and value.rpartition(".")[0] not in homes:
            raise CheckpointError(
                f"{path} names {value[:80]!r} in its settings, and a checkpoint alone does not get code imported: give "
                f"that option on the command line if you trust it"
            )


def is_known_class(name: Any, *keys: str) -> bool:
    """Whether this is a class of the package or of torch for one of these arguments; imports nothing."""
    home, _, attribute = name.rpartition(".") if isinstance(name, str) else ("", "", "")
    kind = getattr(sys.modules.get(home), attribute, None)
    return isinstance(kind, type) and any(
        issubclass(kind, KINDS[key][0]) and re.fullmatch(KINDS[key][1], home) for key in keys or KINDS
    )
