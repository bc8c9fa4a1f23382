"""The settings of a run beside its results, for TensorBoard's page HParams."""

import inspect
import os
import sys
from collections.abc import Mapping
from typing import Any

import lightning as L
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo, SessionStartInfo

METRICS = {
    "accuracy/test": "test accuracy",
    "accuracy/val": "validation accuracy",
    "loss/val": "validation loss",
    "speed/training_seconds": "seconds of training",
    "accuracy/train": "training accuracy",
    "loss/train": "training loss",
}
"""The metrics that are compared, by tag. TensorBoard shows the last value of each curve, also of a later test."""

COLUMNS = 12
"""Of settings, at most: of more a screen shows only a part."""

SHOWN = 5
"""The number of columns that TensorBoard shows at first; the others come at a click."""

HEADLINE = ("network", "learning_rate", "optimizer", "augment", "max_epochs")
USUAL = (*HEADLINE, "batch_size", "schedule", "weight_decay", "seed")
"""The settings that take the columns which those that differ from their defaults leave."""

NOT_COMPARED = {"_instantiator", "data_dir", "pictures", "layout"}
"""Arguments that do not change what is trained."""

TYPES = {bool: api_pb2.DATA_TYPE_BOOL, str: api_pb2.DATA_TYPE_STRING}

Setting = bool | int | float | str


def beginning(settings: dict[str, Setting], changed: list[str]) -> list[Summary]:
    """The summaries for TensorBoard when a run begins: the columns, and the run's settings.

    The columns begin with what differs from the defaults. Of a preset nearly all does, and what one compares with it
    may not: there they begin with the settings that are varied most. TensorBoard takes the columns of any one run for
    all, so that a run tells all its settings, also those that are no column of its own.
    """
    first = changed if len(changed) <= SHOWN else HEADLINE
    names = [name for name in dict.fromkeys([*first, *changed, *USUAL, *settings]) if name in settings]
    columns = [
        api_pb2.HParamInfo(
            name=name,
            type=TYPES.get(type(settings[name]), api_pb2.DATA_TYPE_FLOAT64),
            differs=name in first,  # TensorBoard sorts by this, then by name
        )
        for name in names[:COLUMNS]
    ]
    metrics = [api_pb2.MetricInfo(name=api_pb2.MetricName(tag=tag), display_name=name) for tag, name in METRICS.items()]
    start = SessionStartInfo()
    for name, value in settings.items():
        kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
        setattr(start.hparams[name], f"{kind}_value", value)
    experiment = api_pb2.Experiment(hparam_infos=columns, metric_infos=metrics)
    return [
        _summary(metadata.EXPERIMENT_TAG, HParamsPluginData(experiment=experiment)),
        _summary(metadata.SESSION_START_INFO_TAG, HParamsPluginData(session_start_info=start)),
    ]


def end() -> Summary:
    """The summary for TensorBoard when a run has ended well."""
    info = SessionEndInfo(status=api_pb2.STATUS_SUCCESS)
    return _summary(metadata.SESSION_END_INFO_TAG, HParamsPluginData(session_end_info=info))


def settings_of(trainer: L.Trainer, pl_module: L.LightningModule) -> tuple[dict[str, Setting], list[str]]:
    """The settings of a run, by name, and the names of those that differ from their defaults.

    They are the arguments of the module and the data module, and those of the trainer that change the result. A class
    with its arguments is one text. What is None is left out, but for the usual columns, which all runs shall have. The
    network always counts as one that differs.
    """
    settings = {
        "max_epochs": trainer.max_epochs,
        "precision": str(trainer.precision),
        "accumulate_grad_batches": trainer.accumulate_grad_batches,
        "seed": int(os.environ.get("PL_GLOBAL_SEED", 0)),
    }
    defaults: dict[str, Any] = {**settings, "precision": "32-true", "accumulate_grad_batches": 1, "seed": 0}
    for part in (pl_module, getattr(trainer, "datamodule", None)):
        if part is not None:
            arguments = _defaults(type(part))
            names = dict.fromkeys([*arguments, *part.hparams])
            settings |= {name: part.hparams.get(name, getattr(part, name, None)) for name in names}
            defaults |= arguments
    plain = {name: _plain(value) for name, value in settings.items() if name not in NOT_COMPARED}
    changed = [name for name, value in plain.items() if name == "network" or value != _plain(defaults.get(name))]
    known = {
        name: "none" if value is None else value for name, value in plain.items() if value is not None or name in USUAL
    }
    return known, [name for name in changed if name in known]


def _defaults(kind: Any) -> dict[str, Any]:
    """The named arguments of a class with their defaults."""
    parameters = inspect.signature(kind).parameters.values()
    return {p.name: p.default for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _plain(value: Any) -> Setting | None:
    """A number or text for a table; of a class by its path, its name and the arguments that are not the default."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    spec = dict(value) if isinstance(value, Mapping) else vars(value) if hasattr(value, "class_path") else {}
    if "class_path" not in spec:
        return str(value) if isinstance(value, list | tuple | Mapping) else type(value).__name__
    module, _, name = spec["class_path"].rpartition(".")
    kind = getattr(sys.modules.get(module), name, None)  # it is loaded, as it is in use
    usual = _defaults(kind) if kind else {}
    arguments = dict(spec.get("init_args") or {})
    given = [f"{key}={value}" for key, value in arguments.items() if value != usual.get(key)]
    return f"{name}({', '.join(given)})" if given else name


def _summary(tag: str, content: HParamsPluginData) -> Summary:
    return Summary(value=[Summary.Value(tag=tag, metadata=metadata.create_summary_metadata(content))])
