"""What is kept of a classifier, and how it is used again."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import UserNet, saved_as

import mnist_cnn
from mnist_cnn import DigitClassifier, load_pretrained
from mnist_cnn.checkpoints import CheckpointError, checkpoint_arguments
from mnist_cnn.networks import TutorialCNN


class TestCheckpoints:
    @pytest.mark.parametrize("network", [None, UserNet(), TutorialCNN()])
    def test_hyperparameters_are_plain_and_the_network_is_rebuilt(
        self, network: torch.nn.Module | None, tmp_path: Path
    ) -> None:
        model = DigitClassifier(network, learning_rate=0.02, schedule="one_cycle")
        path = saved_as(tmp_path / "model.ckpt", model)
        hyperparameters = torch.load(path, weights_only=True)["hyper_parameters"]
        assert hyperparameters["learning_rate"] == 0.02
        named = UserNet if isinstance(network, UserNet) else None
        again = DigitClassifier.load_from_checkpoint(path, network=named)
        assert type(again.network) is type(model.network)
        assert again.hparams["schedule"] == "one_cycle"
        assert all(torch.equal(a, b) for a, b in zip(again.parameters(), model.parameters(), strict=True))

    def test_a_network_with_arguments_is_handed_over_again(self, tmp_path: Path) -> None:
        path = saved_as(tmp_path / "model.ckpt", DigitClassifier(UserNet(width=5)))
        again = DigitClassifier.load_from_checkpoint(path, network=UserNet(width=5))
        assert again.network.layers[0].out_features == 5

    def test_an_optimizer_of_ones_own_is_not_needed_to_use_a_network(self, tmp_path: Path) -> None:
        path = saved_as(tmp_path / "model.ckpt", DigitClassifier(optimizer=OwnOptimizer))
        with pytest.warns(UserWarning, match="hand it over as optimizer="):
            assert DigitClassifier.load_from_checkpoint(path).hparams["optimizer"] == "adamw"
        again = DigitClassifier.load_from_checkpoint(path, optimizer=OwnOptimizer)
        assert again.hparams["optimizer"] == {"class_path": f"{__name__}.OwnOptimizer"}
        defaults = checkpoint_arguments(path, resume=False)
        assert "model.optimizer" not in defaults
        assert defaults["model.schedule"] == "exponential"

    def test_a_missing_file_is_not_found(self) -> None:
        for load in (DigitClassifier.load_from_checkpoint, load_pretrained):
            with pytest.raises(FileNotFoundError, match="there is no checkpoint file"):
                load("gone.ckpt")

    def test_nothing_but_data_is_loaded(self, tmp_path: Path) -> None:
        path = saved_as(tmp_path / "model.ckpt", DigitClassifier())
        content = torch.load(path, weights_only=True)
        content["hyper_parameters"]["gamma"] = Attack()
        torch.save(content, path)
        with pytest.raises(CheckpointError, match="something else than plain data"):
            DigitClassifier.load_from_checkpoint(path)


class OwnOptimizer(torch.optim.SGD):
    pass


class Attack:
    def __reduce__(self) -> tuple:
        return (pytest.fail, ("the checkpoint ran code",))


def test_all_names_are_imported_when_they_are_used_and_torch_not_before() -> None:
    assert {"CosineCNN", "RandomAffine", "load_pretrained", "read_digits"} <= set(mnist_cnn.__all__)
    for name in mnist_cnn.__all__:
        assert getattr(mnist_cnn, name).__name__ == name
    code = (
        "import sys, mnist_cnn; assert set(mnist_cnn.__all__) <= set(dir(mnist_cnn)); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_pretrained_network_is_ready_to_use() -> None:
    model = load_pretrained()
    assert not model.training
    assert model(torch.zeros(3, 1, 28, 28, dtype=torch.uint8)).shape == (3, 10)
