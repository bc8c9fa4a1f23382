"""A network that learns more beside what it knew."""

from pathlib import Path

import pytest
import torch
from conftest import Cli, Fails
from drawn import Mnist

from mnist_cnn import DigitClassifier
from mnist_cnn.checkpoints import PRETRAINED
from mnist_cnn.networks import DIGITS, ConvNet, CosineCNN, Extended
from mnist_cnn.reading.models import load_classifier
from mnist_cnn.tasks.weights import extended as remembering
from mnist_cnn.tasks.weights import with_classes


def test_it_begins_with_the_answers_that_there_were(mnist: Mnist) -> None:
    images = mnist[0][:200]
    known = load_classifier(PRETRAINED).network
    extended = Extended(known).eval()
    answers, then = extended(images), known(images)
    torch.testing.assert_close(answers.exp().sum(dim=1), torch.ones(200))
    assert (answers.argmax(dim=1) == then.argmax(dim=1)).all()


def test_what_is_to_be_read_as_before_is_and_the_rest_as_learned(mnist: Mnist) -> None:
    extended = Extended(ConvNet()).eval()
    layer = [module for module in extended.now.modules() if isinstance(module, torch.nn.Linear)][-1]
    before = extended.before(mnist[0][:9])
    with torch.no_grad():
        layer.bias[-1] = 100
        torch.testing.assert_close(extended(mnist[0][:9]), before, atol=1e-4, rtol=0)
        layer.bias[-1] = -100
        layer.bias[7] = 100
        assert (extended(mnist[0][:9]).argmax(dim=1) == 7).all()


def test_one_half_learns_and_the_other_stays(mnist: Mnist) -> None:
    network = ConvNet(batch_norm=True)
    extended = Extended(network).train()
    kept = {name: value.clone() for name, value in extended.before.state_dict().items()}
    optimizer = torch.optim.SGD(extended.parameters(), 0.1)
    first = extended(mnist[0][:50])
    torch.nn.functional.nll_loss(first, mnist[1][:50]).backward()
    optimizer.step()
    assert all(torch.equal(value, kept[name]) for name, value in extended.before.state_dict().items())
    assert not torch.equal(extended(mnist[0][:50]), first)


def test_a_network_of_parts_and_other_classes(mnist: Mnist) -> None:
    spec = {"class_path": "mnist_cnn.networks.CosineCNN", "init_args": {"towers": 2}}
    extended, both = remembering(CosineCNN(towers=2), spec)
    assert both == {"class_path": "mnist_cnn.networks.Extended", "init_args": {"network": spec}}
    assert extended.train()(mnist[0][:3]).shape == (2, 3, 10)
    assert remembering(extended, both) == (extended, both)
    letters, inner = with_classes(extended, both, DIGITS, ["7", "A", "B"])
    assert letters.eval()(mnist[0][:3]).shape == (3, 3)
    assert inner == spec


def test_it_learns_further_classes_and_keeps_those_it_knew(mnist: Mnist) -> None:
    images = mnist[0][:200]
    known = load_classifier(PRETRAINED).network
    extended = Extended(known).eval()
    classes = ["+", *DIGITS, "x"]
    learned, _ = with_classes(extended, None, DIGITS, classes)
    assert learned is extended
    answers = extended(images)
    assert answers.shape == (200, 12)
    torch.testing.assert_close(answers.exp().sum(dim=1), torch.ones(200))
    assert (answers.argmax(dim=1) == known(images).argmax(dim=1) + 1).float().mean() > 0.97  # 0 is the second one
    layer = [module for module in extended.now.modules() if isinstance(module, torch.nn.Linear)][-1]
    with torch.no_grad():
        layer.bias[-2] = 100
        assert (extended(images).argmax(dim=1) == 11).all()
        layer.bias[-1] = 200
        as_before = extended(images)
    torch.testing.assert_close(as_before[:, 1:11], known(images), atol=1e-4, rtol=0)
    assert (as_before[:, [0, 11]] < -50).all()
    more = with_classes(extended, None, classes, [*DIGITS, "x"])[0](images)
    assert extended.classes == [*DIGITS, "x"]
    torch.testing.assert_close(more[:, :10], as_before[:, 1:11], atol=1e-4, rtol=0)
    assert extended.alone()(images).shape == (200, 11)


def test_from_fit_to_a_file_and_on(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--trainer.max_epochs=1", "--trainer.limit_train_batches=3", "--data.val_size=200"]
    begin = ["--model.weights=pretrained", "--model.remember=true", "--model.learning_rate=0.0001"]
    cli("fit", *small, *begin)
    best = Path("lightning_logs/version_0/checkpoints/best.ckpt")
    assert isinstance(load_classifier(best).network, Extended)
    loaded = DigitClassifier.load_from_checkpoint(best)
    assert isinstance(loaded.network, Extended)
    assert type(loaded.network.before) is ConvNet
    capsys.readouterr()
    cli("test", "--ckpt_path=best", "--trainer.limit_test_batches=2")
    cli("export", "--ckpt_path=best", "--output=digits.pt2")
    cli("fit", "--ckpt_path=last", *small, *begin, "--trainer.max_epochs=2")
    cli("fit", *small, "--model.weights=best", "--model.remember=true")
    again = load_classifier(Path("lightning_logs/version_1/checkpoints/best.ckpt")).network
    assert type(again.before) is ConvNet
    assert DigitClassifier(weights=str(best), classes=["1", "2"]).network.training
    out = capsys.readouterr().out
    assert out.count("network: Extended, 468,229 parameters") == 2


def test_for_whom_it_is_not(cli: Cli, fails: Fails) -> None:
    with pytest.raises(ValueError, match="remember is for a run that starts from weights: give these, too"):
        DigitClassifier(remember=True)
    assert "give these, too" in fails(cli, "fit", "--model.remember=true")
    assert "test does not use --model.remember, only fit" in fails(
        cli, "test", "--ckpt_path=pretrained", "--model.remember=true"
    )
    letters = DigitClassifier(weights="pretrained", classes=["1", "A"], remember=True)
    assert type(letters.network) is ConvNet  # what gives up classes cannot be read as before
    own = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10))
    assert remembering(own, {"class_path": "mynet.Net"}) == (own, {"class_path": "mynet.Net"})
