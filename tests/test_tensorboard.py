"""What TensorBoard gets: curves, charts, settings, pictures; from runs that were killed, too."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import pytest
import yaml
from conftest import Capture, Cli, Killed, Patch, UserNet, curves, dies_at, event_files
from tensorboard.plugins.custom_scalar import metadata as custom_scalars
from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
from tensorboard.plugins.hparams import metadata

from mnist_cnn import DigitClassifier
from mnist_cnn.callbacks.hparams import COLUMNS, beginning, settings_of

SMALL = (
    "--trainer.limit_train_batches=24",
    "--trainer.limit_val_batches=2",
    "--trainer.limit_test_batches=2",
    "--trainer.max_epochs=2",
    "--trainer.log_every_n_steps=5",
    "--data.batch_size=20",
    "--model.network=conftest.UserNet",
    "--model.network.init_args.dropout=0.5",
)


def test_curves_of_all_stages_share_axis_and_chart_and_no_point_is_there_twice(cli: Cli, capsys: Capture) -> None:
    cli("fit", *SMALL)
    printed = capsys.readouterr().out
    cli("test", *SMALL, "--ckpt_path=last")
    written = event_files()
    cli("validate", *SMALL, "--ckpt_path=best")  # whose point the curve has
    assert event_files() == written
    assert "Warning" not in capsys.readouterr().err

    event = curves(raw=True).Tensors(custom_scalars.CONFIG_SUMMARY_TAG)[0]
    charts = Layout.FromString(event.tensor_proto.string_val[0]).category[0].chart
    assert {tuple(chart.multiline.tag) for chart in charts} == {
        (f"{name}/train", f"{name}/val", f"{name}/test") for name in ("error", "accuracy", "loss")
    }
    points = curves()
    steps = {tag: [step for step, _ in curve] for tag, curve in points.items()}
    assert all(len(set(curve)) == len(curve) for curve in steps.values())
    within = [5, 10, 15, 20, 24, 29, 34, 39, 44, 48]
    for tag in ("loss/train", "accuracy/train", "error/train", "learning_rate"):
        assert steps[tag] == within
    for tag in ("loss/val", "accuracy/val", "error/val", "per_class_accuracy/7/val", "speed/training_seconds"):
        assert steps[tag] == [24, 48]
    assert steps["accuracy/test"] == steps["error/test"] == [48]
    assert not any("norm" in tag for tag in steps)
    for stage in ("train", "val", "test"):
        for (_, accuracy), (_, error) in zip(points[f"accuracy/{stage}"], points[f"error/{stage}"], strict=True):
            assert error == pytest.approx(100 * (1 - accuracy), abs=1e-4)
    # Each point stands for the images since the last one: together they are the epoch's mean.
    hits = [value * length for (_, value), length in zip(points["accuracy/train"][:5], (5, 5, 5, 5, 4), strict=True)]
    assert f"epoch 1/2: accuracy/train {sum(hits) / 24:.2%}" in printed
    assert [value for _, value in points["learning_rate"]] == pytest.approx([0.005] * 4 + [0.0025] * 5 + [0.00125])


def test_a_run_that_was_killed_has_the_curves_of_one_that_was_not(cli: Cli, monkeypatch: Patch) -> None:
    command = ("fit", *SMALL, "--checkpoint.every_n_train_steps=5", "--figures.norms=true")
    cli(*command)
    whole = without_speed(curves(0))
    assert [step for step, _ in whole["norm/gradient"]] == [1, 5, 10, 15, 20, 25, 30, 35, 40, 45]
    # Before the first checkpoint, within an epoch, right after a checkpoint and a point, in the next epoch.
    for run, deadly in enumerate([2, 13, 15, 26], start=1):
        with monkeypatch.context() as patch:
            dies_at(deadly, patch)
            with pytest.raises(Killed):
                cli(*command)
        cli(*command, "--ckpt_path=last")
        seconds = [value for _, value in curves(run)["speed/training_seconds"]]
        assert seconds[1] > seconds[0] > 0
        assert without_speed(curves(run)) == whole
        assert [event.step for event in curves(run, raw=True).Images("training/digits")] == [0]


def without_speed(points: dict[str, Any]) -> dict[str, Any]:
    return {tag: curve for tag, curve in points.items() if not tag.startswith("speed/")}


@pytest.mark.parametrize(
    ("every", "accumulated", "batches", "due"),
    [
        (5, 1, 24, [5, 10, 15, 20]),
        (10, 1, 21, [10]),
        (50, 1, 59, []),
        (50, 1, 60, [50]),
        (5, 3, 31, [15]),
        (50, 1, 20, []),
        (0, 1, 20, []),
    ],
)
def test_no_point_stands_for_a_step_or_two(every: int, accumulated: int, batches: int, due: list[int]) -> None:
    trainer = SimpleNamespace(
        log_every_n_steps=every, accumulate_grad_batches=accumulated, num_training_batches=batches
    )
    module = SimpleNamespace(trainer=trainer)
    assert [done for done in range(1, batches) if DigitClassifier._is_log_due(module, done - 1)] == due  # type: ignore[arg-type]


def test_curves_of_a_run_that_stops_within_an_epoch(cli: Cli) -> None:
    cli("fit", *SMALL, "--trainer.max_steps=7")
    assert [step for step, _ in curves()["loss/train"]] == [5, 7]


def test_settings_that_differ_come_first_and_results_are_those_one_compares(cli: Cli) -> None:
    changed = ("--model.learning_rate=0.02", "--model.gamma=0.7", "--data.augment=RandomAffine")
    cli("fit", *SMALL, *changed)
    content = {tag: data.plugin_data.content for tag, data in curves(raw=True).summary_metadata.items()}
    experiment = metadata.parse_experiment_plugin_data(content[metadata.EXPERIMENT_TAG])
    first = ["network", "learning_rate", "gamma", "batch_size", "augment"]
    names = [column.name for column in experiment.hparam_infos]
    assert {column.name for column in experiment.hparam_infos if column.differs} == set(first) == set(names[:5])
    assert len(names) == len(set(names)) == COLUMNS == 12
    assert {"max_epochs", "optimizer", "schedule"} < set(names)
    assert [metric.name.tag for metric in experiment.metric_infos][:3] == ["accuracy/test", "accuracy/val", "loss/val"]
    tags = {metric.name.tag for metric in experiment.metric_infos}
    assert tags - set(curves()) == {"accuracy/test"}  # which a test will write there
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG]).hparams
    assert start["network"].string_value == "UserNet(dropout=0.5)"
    assert start["augment"].string_value == "RandomAffine"
    assert (start["learning_rate"].number_value, start["seed"].number_value) == (0.02, 0)
    assert start["label_smoothing"].number_value == 0.0  # no column here, but perhaps one of another run
    assert "data_dir" not in start
    assert metadata.SESSION_END_INFO_TAG in content


def test_settings_of_presets_are_short_texts(monkeypatch: Patch) -> None:
    monkeypatch.delenv("PL_GLOBAL_SEED", raising=False)
    preset = yaml.safe_load((Path(__file__).parent.parent / "mnist_cnn" / "configs" / "fast.yaml").read_text())
    model = DigitClassifier(UserNet())
    model.hparams["network"] = preset["model"]["network"]
    settings, changed = settings_of(L.Trainer(accelerator="cpu", logger=False, max_epochs=3), model)
    assert settings["network"] == "CosineCNN(blocks=[[32]], hidden=[128], scaling=unit)"  # 16 filters are the default
    assert changed == ["network"]
    assert (settings["max_epochs"], settings["seed"]) == (3, 0)


def test_of_a_preset_the_settings_that_are_varied_most_come_first() -> None:
    changed = ["network", "weight_decay", "momentum", "schedule", "warmup", "batch_size"]
    settings = dict.fromkeys([*changed, "learning_rate", "optimizer", "augment", "max_epochs", "gamma", "seed", "x"], 1)
    content = beginning(settings, changed)[0].value[0].metadata.plugin_data.content  # type: ignore[arg-type]
    columns = metadata.parse_experiment_plugin_data(content).hparam_infos
    headline = {"network", "learning_rate", "optimizer", "augment", "max_epochs"}
    assert {column.name for column in columns if column.differs} == headline
    assert {column.name for column in columns} == {*headline, *changed, "seed", "gamma"}
