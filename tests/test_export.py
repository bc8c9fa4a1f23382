"""`export`: the file, its promise about batches, and what is said where it cannot be made."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Capture, Cli, Fails, Patch
from torch import Tensor, nn

import mnist_cnn
from mnist_cnn import DigitClassifier, DigitDataModule, load_pretrained
from mnist_cnn import export as module
from mnist_cnn.checkpoints import PRETRAINED
from mnist_cnn.export import DigitTrainer, ExportError, export
from mnist_cnn.networks import MLP, ConvNet, CosineCNN, TutorialCNN

IMAGES = torch.randint(0, 256, (1000, 1, 28, 28), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
NETWORKS = [
    TutorialCNN(channels=(3, 4), hidden=5),
    ConvNet(blocks=((2,), (3,)), hidden=(5,)),
    CosineCNN(filters=4, blocks=((4,), (4,)), hidden=(6,)),
    MLP(hidden=(5,), dropout=0.5),
]


def trained(network: nn.Module, **options: float) -> DigitClassifier:
    """A model whose statistics of batches are not those that it began with."""
    model = DigitClassifier(network, **options)  # type: ignore[arg-type]
    model(IMAGES[:50])
    return model


@pytest.mark.parametrize(("network", "checked"), zip(NETWORKS, (1, 2, 400, 1000), strict=True))
def test_every_network_as_pt2_checked_with_any_number_of_images(
    network: nn.Module, checked: int, tmp_path: Path
) -> None:
    model = trained(network, temperature=1.5)
    assert export(model, tmp_path / "net.pt2", "pt2", IMAGES[:checked]) <= module.TOLERANCE
    exported = torch.export.load(tmp_path / "net.pt2").module()
    for count in (1, 2, 300):
        answers = exported(IMAGES[:count])
        assert (answers.shape, answers.dtype) == ((count, 10), torch.float32)
        torch.testing.assert_close(answers, model(IMAGES[:count]))


def test_an_exporter_that_lacks_a_package_of_its_own(tmp_path: Path, monkeypatch: Patch) -> None:
    def missing(*_: object) -> bytes:
        raise ModuleNotFoundError("No module named 'onnxscript._framework_apis.torch_2_11'")

    monkeypatch.setattr(module, "_converted", missing)
    with pytest.raises(ExportError, match=r"torch_2_11.*: pip install --upgrade onnx onnxscript onnxruntime$"):
        export(DigitClassifier(NETWORKS[0]), tmp_path / "net.onnx", "onnx", IMAGES)
    assert not list(tmp_path.iterdir())


def test_onnx_from_the_command_line_runs_in_onnxruntime(cli: Cli, capsys: Capture) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    cli("export", "--ckpt_path=pretrained")
    output = capsys.readouterr()
    assert float(re.search(r"largest difference on 1,000 training images: (\S+)", output.out)[1]) <= 1e-4
    assert "exported: digits.onnx" in output.out
    assert output.err == ""
    assert [path.name for path in Path().iterdir()] == ["digits.onnx"]
    about = {entry.key: entry.value for entry in onnx.load("digits.onnx").metadata_props}
    assert about.items() >= {"classes": "0 1 2 3 4 5 6 7 8 9", "version": mnist_cnn.__version__}.items()
    session = onnxruntime.InferenceSession("digits.onnx", providers=["CPUExecutionProvider"])
    assert [axis for value in session.get_inputs() + session.get_outputs() for axis in value.shape[:1]] == ["N", "N"]
    model = DigitClassifier.load_from_checkpoint(PRETRAINED, map_location="cpu").eval()
    for count in (1, 300):
        answers = session.run(["log_probabilities"], {"images": IMAGES[:count].numpy()})[0]
        assert (answers.shape, answers.dtype) == ((count, 10), np.float32)
        torch.testing.assert_close(torch.from_numpy(answers), model(IMAGES[:count]).detach(), atol=1e-4, rtol=0)


def test_what_differs_from_the_checkpoint_is_not_left_behind(tmp_path: Path, monkeypatch: Patch) -> None:
    path = tmp_path / "net.pt2"
    path.write_text("before")
    monkeypatch.setattr(module, "_load", lambda path, format: lambda images: torch.zeros(len(images), 10))
    with pytest.raises(ExportError, match=r"differs from the checkpoint by .* nothing was written"):
        export(trained(MLP(hidden=())), path, "pt2", IMAGES)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("net.pt2", "before")]


class OneSize(nn.Module):
    """A network for batches of two."""

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :10].float() + torch.arange(2).unsqueeze(1) * (len(images) - 1)


def test_a_network_that_cannot_be_exported(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="OneSize cannot be exported as pt2 for batches of any size"):
        export(DigitClassifier(OneSize()), tmp_path / "net.pt2", "pt2", IMAGES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ckpt_path=pretrained", "--format=onxx"], "error: --format.*onnx.*pt2"),
        (["--ckpt_path=pretrained", "--output=folder"], "'folder' is a folder: choose a file with --output=FILE.onnx"),
        (["--ckpt_path=pretrained", "--output=file/net.onnx"], "cannot write file/net.onnx"),
        (["--ckpt_path=pretrained", "--format=onnx", "--output=net.pt2"], "add --format=pt2"),
        (["--ckpt_path=pretrained", "--output=net.pth"], r"\.pth is neither \.onnx nor \.pt2: .*--format=onnx or pt2"),
        (["--ckpt_path=none.ckpt"], "no checkpoint file 'none.ckpt'"),
        ([], "export needs trained weights: add --ckpt_path=pretrained"),
    ],
)
def test_bad_arguments_end_in_one_line(options: list[str], message: str, cli: Cli, fails: Fails) -> None:
    Path("folder").mkdir()
    Path("file").touch()
    assert re.search(message, fails(cli, "export", *options))
    assert sorted(path.name for path in Path().iterdir()) == ["file", "folder"]


def test_from_python_by_the_names_of_checkpoint_and_file(mnist_dir: Path, tmp_path: Path) -> None:
    path, data = tmp_path / "net.pt2", DigitDataModule(data_dir=mnist_dir)
    DigitTrainer(accelerator="cpu", logger=False).export(load_pretrained(), data, "pretrained", output=str(path))
    about = {"classes": "", "version": ""}
    torch.export.load(path, extra_files=about)
    assert about == {"classes": "0 1 2 3 4 5 6 7 8 9", "version": mnist_cnn.__version__}


def test_a_package_that_is_not_installed(cli: Cli, fails: Fails, monkeypatch: Patch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "onnxscript" else name)
    assert 'pip install "mnist_cnn[export]"' in fails(cli, "export", "--ckpt_path=pretrained")
