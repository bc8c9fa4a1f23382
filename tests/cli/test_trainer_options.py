"""Every option of Lightning's Trainer works, or ends in one line that says what to do instead."""

import inspect
import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml
from conftest import Capture, Fails, Patch, hint
from lightning.pytorch import Trainer

from mnist_cnn.cli import main
from mnist_cnn.tasks.metrics import StageMetrics

SMALL = (
    "--data.val_size=20",
    "--data.batch_size=40",
    "--trainer.accelerator=cpu",
    "--trainer.max_epochs=1",
    "--model.network=MLP",
    "--model.network.hidden=[8]",
    "--figures.every_n_epochs=9",
    "--trainer.logger.log_graph=false",
)
"""Three steps and one of validation."""

TEST = ["test", "--ckpt_path=best", "--trainer.accelerator=cpu", "--trainer.limit_test_batches=1"]
WORKS = shlex.split("""
precision=bf16-true  precision=16-true  precision=64-true  precision=32  precision=bf16-mixed
logger=CSVLogger  logger+=CSVLogger  logger=true  logger=false  logger=DummyLogger  logger.name=mine
callbacks=LearningRateMonitor  callbacks+=ModelCheckpoint  callbacks+=Timer  fast_dev_run=2
max_epochs=2  max_epochs=0  min_epochs=2  max_steps=2  min_steps=2  max_time=00:01:00:00
limit_train_batches=0  limit_train_batches=2  limit_train_batches=0.5  limit_val_batches=1  limit_val_batches=0
limit_test_batches=1  limit_predict_batches=1  overfit_batches=1  overfit_batches=0.4
val_check_interval=2  check_val_every_n_epoch=2  num_sanity_val_steps=2  log_every_n_steps=1
enable_checkpointing=false  enable_checkpointing=true  enable_progress_bar=false  enable_model_summary=true
accumulate_grad_batches=2  gradient_clip_val=0.5  gradient_clip_algorithm=value
deterministic=true  benchmark=true  inference_mode=false  use_distributed_sampler=false
profiler=simple  profiler=advanced  detect_anomaly=true  barebones=true  plugins=AsyncCheckpointIO
sync_batchnorm=true  reload_dataloaders_every_n_epochs=1  default_root_dir='a b'  enable_autolog_hparams=false
model_registry=mine  num_nodes=1  devices=1  devices=auto  accelerator=cpu  strategy=auto
""")
FAILS = {
    "strategy=ddp_spawn": "give --trainer.strategy=ddp",
    "strategy=ddp_fork": "give --trainer.strategy=ddp",
    "strategy=ddp_notebook": "give --trainer.strategy=ddp",
    "strategy=fsdp": "GPU|CUDA|cuda",
    "strategy=deepspeed": "[Dd]eep[Ss]peed",
    "strategy=xla": "[Xx][Ll][Aa]",
    "precision=transformer-engine": "pip install",
    "accumulate_grad_batches=0": "give a number from 1 on",
    "gradient_clip_val=-1": "give a number from 0 on",
    "check_val_every_n_epoch=0": "give a number from 1 on",
    "profiler=xla": "give simple, advanced or pytorch",
    "profiler=simpl": "simple.*advanced",
    "logger=WandbLogger": "wandb",
    "logger+=LitLogger": "its package is not installed",
    "logger=CSVLoger": "did you mean CSVLogger",
    "callbacks=EarlyStopping": "more arguments, monitor",
    "max_time=soon": "'soon' is no duration: give a time such as 00:12:00:00",
    "val_check_interval=0": "give a number above 0",
    "num_sanity_val_steps=-2": "give a number from -1 on",
    "devices=[3]": "no GPU was found",
    "devices=0": "devices",
    "val_check_interval=-1": "val_check_interval",
    "max_steps=-7": "max_steps",
}


def test_no_option_is_left_out() -> None:
    names = {re.split(r"[=+.]", option)[0] for option in [*WORKS, *FAILS]}
    assert names == {*inspect.signature(Trainer.__init__).parameters} - {"self"}


def test_every_option_of_the_trainer_works(tiny: Path, capsys: Capture) -> None:
    for option in WORKS:
        try:
            main(["fit", *SMALL, f"--trainer.{option}"])
        except SystemExit as stop:
            pytest.fail(f"--trainer.{option}: {stop.code} {capsys.readouterr().err}")
        output = capsys.readouterr().out
        trains = option not in ("limit_train_batches=0", "max_epochs=0")
        assert ("for nothing was trained" in output) != trains, (option, output)
        keeps = trains and not option.startswith(("fast_dev_run", "barebones", "enable_checkpointing=false"))
        words = hint(output)
        assert bool(words) == keeps, (option, output)
        assert not words or Path(words[1].partition("=")[2]).is_file(), (option, output)
        for folder in re.findall(r"^see it: +tensorboard --logdir (.*)$", output, flags=re.MULTILINE):
            assert [*Path(shlex.split(folder)[0]).rglob("events.out*")], (option, output)


@pytest.mark.parametrize("option", FAILS)
def test_what_cannot_work_ends_in_one_line(option: str, tiny: Path, fails: Fails) -> None:
    assert re.search(FAILS[option], fails(main, ["fit", *SMALL, f"--trainer.{option}"]))


@pytest.mark.parametrize(
    "place",
    ["logger.save_dir=some where", "logger.name=mine", "logger=false", "logger=DummyLogger", "default_root_dir=a b"],
)
def test_best_and_last_are_found_wherever_a_run_keeps_them(place: str, tiny: Path, capsys: Capture) -> None:
    main(["fit", *SMALL])
    main(["fit", *SMALL, f"--trainer.{place}"])
    path = re.findall(r"^checkpoint: (.*best.ckpt)$", capsys.readouterr().out, flags=re.MULTILINE)[-1]
    assert place != "logger=false" or path == "checkpoints/best.ckpt"
    root = [f"--trainer.{place}"] if place.startswith("default_root_dir") else []
    main([*TEST, *root])
    assert f"checkpoint: {path} (" in capsys.readouterr().out
    main(["fit", *SMALL, "--ckpt_path=last", "--trainer.max_epochs=2", f"--trainer.{place}"])
    assert f"checkpoint: {path.replace('best', 'last')} (epoch 1," in capsys.readouterr().out


def test_a_barebones_trainer_gives_its_verdict(tiny: Path, capsys: Capture) -> None:
    main(["fit", *SMALL])
    for verb in ("validate", "test"):
        main([verb, "--ckpt_path=best", "--trainer.barebones=true"])
        output = capsys.readouterr().out
        assert re.search(r"accuracy \d+\.\d+%, \d+ errors? in \d+", output), output
        assert "calibration error" not in output


def test_several_loggers_share_the_folder_of_a_run_also_when_it_goes_on(tiny: Path) -> None:
    both = [*SMALL, "--trainer.logger+=CSVLogger"]
    main(["fit", *both])
    main(["fit", *both, "--ckpt_path=last", "--trainer.max_epochs=2"])
    run = Path("lightning_logs/version_0")
    assert [*Path("lightning_logs").iterdir()] == [run]
    assert {path.name for path in run.glob("*.csv")} == {"metrics.csv", "metrics_until_1.csv"}
    assert len([*run.glob("events.out*")]) == 2


def test_the_config_of_a_run_that_went_on_starts_another_one(tiny: Path, capsys: Capture) -> None:
    main(["fit", *SMALL])
    main(["fit", *SMALL, "--ckpt_path=last", "--trainer.max_epochs=2"])
    config = Path("lightning_logs/version_0/config.yaml")
    assert "ckpt_path" not in yaml.safe_load(config.read_text())
    main(["fit", f"--config={config}"])
    assert sorted(path.name for path in Path("lightning_logs").iterdir()) == ["version_0", "version_1"]
    main([TEST[0], f"--config={config}", *TEST[1:]])
    assert "checkpoint: lightning_logs/version_1/checkpoints/best.ckpt" in capsys.readouterr().out


CALLBACKS = {
    "Timer": "duration=00:00:05:00",
    "StochasticWeightAveraging": "swa_lrs=0.01",
    "ModelPruning": "pruning_fn=l1_unstructured",
    "GradientAccumulationScheduler": "scheduling={0: 2}",
}
"""With a default or an argument that no config file holds as it is."""


@pytest.mark.parametrize("callback", CALLBACKS)
def test_the_config_of_a_run_with_a_callback_starts_another_one(
    callback: str, tiny: Path, recwarn: pytest.WarningsRecorder
) -> None:
    main(["fit", *SMALL, f"--trainer.callbacks+={callback}", f"--trainer.callbacks.{CALLBACKS[callback]}"])
    assert "Unable to serialize" not in "".join(str(warning.message) for warning in recwarn)
    main(["fit", "--config=lightning_logs/version_0/config.yaml"])
    configs = [Path(f"lightning_logs/version_{run}/config.yaml").read_text() for run in (0, 1)]
    assert callback in configs[0]
    assert configs[0] == configs[1]


def test_a_callback_ends_the_training_and_no_end_is_named(tiny: Path, capsys: Capture) -> None:
    timer = ["--trainer.callbacks+=Timer", "--trainer.callbacks.duration=00:00:00:01"]
    main(["fit", *SMALL, "--trainer.max_epochs=-1", *timer])
    assert "epoch 1: accuracy" in capsys.readouterr().out


def test_several_checkpoints_have_several_names_and_best_is_the_best(
    tiny: Path, capsys: Capture, monkeypatch: Patch
) -> None:
    scores = iter([0.5, 0.9, 0.7, 0.6])
    compute = StageMetrics.compute

    def computed(self: StageMetrics) -> dict[str, torch.Tensor]:
        values = compute(self)
        return {**values, "accuracy/val": torch.tensor(next(scores))} if "accuracy/val" in values else values

    main(["fit", *SMALL])
    with monkeypatch.context() as patch:
        patch.setattr(StageMetrics, "compute", computed)
        main(["fit", *SMALL, "--trainer.max_epochs=4", "--checkpoint.save_top_k=3"])
    folder = Path("lightning_logs/version_1/checkpoints")
    assert {path.name for path in folder.iterdir()} == {"last.ckpt", *(f"best-epoch={k}.ckpt" for k in (1, 2, 3))}
    capsys.readouterr()
    main(TEST)
    assert f"checkpoint: {folder}/best-epoch=1.ckpt (epoch 2, validation accuracy 90.00%" in capsys.readouterr().out


def test_the_checkpoint_that_is_named_is_there_and_that_of_its_run(tiny: Path, capsys: Capture) -> None:
    def named(*options: str) -> str:
        main(["fit", *SMALL, *options])
        return re.findall(r"^checkpoint: (\S*ckpt)$", capsys.readouterr().out, flags=re.MULTILINE)[-1]

    folder = "lightning_logs/version_{}/checkpoints"
    assert named() == f"{folder.format(0)}/best.ckpt"
    assert named("--checkpoint.save_top_k=0") == f"{folder.format(1)}/last.ckpt"
    assert named("--checkpoint.save_top_k=2", "--trainer.max_steps=2") == f"{folder.format(2)}/best-epoch=1.ckpt"
    main(TEST)
    assert f"checkpoint: {folder.format(2)}/best-epoch=1.ckpt (" in capsys.readouterr().out
    nothing_left = ("--ckpt_path=last", "--trainer.max_steps=2")
    assert named(*nothing_left) == f"{folder.format(2)}/best-epoch=1.ckpt"


def test_a_checkpoint_says_where_it_comes_from_and_a_trial_does_not_stand_in_silently(
    tiny: Path, capsys: Capture
) -> None:
    main(["fit", *SMALL])
    main(TEST)
    output = capsys.readouterr()
    accuracy = re.search(r"best validation accuracy: (.*%)", output.out)
    assert accuracy
    where = rf"best.ckpt \(epoch 1, validation accuracy {accuracy[1]}, its run was trained until \d{{4}}-\d\d-\d\d "
    assert re.search(where, output.out)
    assert "trial" not in output.out + output.err
    for trial in ("limit_train_batches=2", "max_steps=2", "overfit_batches=2"):
        main(["fit", *SMALL, f"--trainer.{trial}"])
        main(TEST)
        output = capsys.readouterr()
        assert re.search(r"\(epoch 1, .* a trial with 2 of 3 batches an epoch\)", output.out)
        assert "the newest whole one: --ckpt_path=lightning_logs/version_0/checkpoints/best.ckpt" in output.err
