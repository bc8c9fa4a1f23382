"""The page to draw on, over HTTP: what it reads."""

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Patch
from drawn import enlarged, finished, on_paper
from served import Fixed, png, request, running, untrained

from mnist_cnn import read_digits
from mnist_cnn.callbacks.contact_sheet import UNSURE
from mnist_cnn.data import files
from mnist_cnn.networks import MLP
from mnist_cnn.page import app, networks
from mnist_cnn.page.networks import Networks
from mnist_cnn.tasks.classifier import DigitClassifier


@pytest.fixture(scope="module")
def model() -> DigitClassifier:
    return untrained()


@pytest.fixture(scope="module")
def port(model: DigitClassifier) -> Iterator[int]:
    with running(Fixed(model)) as port:
        yield port


@pytest.fixture(scope="module")
def digits(mnist_dir: Path) -> torch.Tensor:
    return files.load("MNIST", mnist_dir, train=True)[0][:8, 0]


@pytest.fixture(scope="module")
def picture(digits: torch.Tensor) -> np.ndarray:
    return finished(on_paper(enlarged(digits[0].numpy(), 150)))


def test_the_page_is_one_file_that_loads_nothing_else(port: int) -> None:
    status, headers, page = request(port, "GET", "/")
    text = page.decode()
    assert status == 200
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert "<canvas" in text
    assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert f"const LIMIT = {app.MOST_BYTES // 2**20} * 2 ** 20;" in text
    assert f"const UNSURE = {UNSURE};" in text


def test_a_picture_is_read_as_predict_reads_it(port: int, model: DigitClassifier, picture: np.ndarray) -> None:
    status, _, answer = request(port, "POST", "/read?layout=digit", png(picture))
    expected = read_digits(picture, model=model)
    assert status == 200
    assert (answer["digits"], answer["note"], answer["network"]) == (expected.digits, "", "Fixed")
    assert answer["size"] == [260, 300]
    np.testing.assert_allclose(answer["boxes"], expected.boxes)
    np.testing.assert_allclose(answer["confidences"], expected.confidences)
    assert answer["confidence"] == pytest.approx(expected.confidence)
    seen = np.frombuffer(base64.b64decode(answer["images"][0]), np.uint8).reshape(1, 28, 28)
    np.testing.assert_array_equal(seen, expected.images)
    with torch.no_grad():
        probabilities = model(torch.from_numpy(seen.copy()).unsqueeze(1)).exp()
    np.testing.assert_allclose(answer["probabilities"], probabilities, rtol=1e-5)


def test_a_row_is_read_from_left_to_right(port: int, model: DigitClassifier, digits: torch.Tensor) -> None:
    row = np.concatenate([on_paper(enlarged(digit.numpy(), 110), (200, 200), (45, 40)) for digit in digits[:3]], axis=1)
    status, _, answer = request(port, "POST", "/read?layout=row", png(finished(row)))
    assert status == 200
    assert answer["digits"] == read_digits(finished(row), "row", model=model).digits
    assert len(answer["digits"]) == len(answer["images"]) == len(answer["probabilities"]) == 3


def test_a_blank_sheet_has_no_digit(port: int) -> None:
    status, _, answer = request(port, "POST", "/read", png(np.full((300, 300, 3), 255, np.uint8)))
    assert status == 200
    assert (answer["digits"], answer["confidence"]) == ("", 0.0)
    assert answer["boxes"] == answer["confidences"] == answer["images"] == answer["probabilities"] == []


def test_many_at_once_get_their_own_answers(port: int, digits: torch.Tensor) -> None:
    answers: dict[int, Any] = {}

    def ask(i: int) -> None:
        answers[i] = request(port, "POST", "/read", png(digits[i].numpy()))[2]["images"]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(len(digits))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {i: [base64.b64encode(digit.numpy().tobytes()).decode()] for i, digit in enumerate(digits)}
    assert answers == expected


def test_the_network_is_chosen_while_it_runs(tmp_path: Path, picture: np.ndarray, monkeypatch: Patch) -> None:
    monkeypatch.setattr(networks, "_load", lambda file, own: torch.load(file, weights_only=False))

    def constant(digit: int) -> torch.nn.Module:
        network = MLP(hidden=())
        torch.nn.init.zeros_(network.classifier[1].weight)
        network.classifier[1].bias.data = 9 * torch.eye(10)[digit]
        return network.eval()

    best = tmp_path / "version_3" / "checkpoints" / "best.ckpt"
    with running(Networks(logs=tmp_path)) as port:
        assert request(port, "GET", "/state")[2] == {"networks": {"pretrained": "pretrained"}, "kept": None}
        assert request(port, "POST", "/read?network=best", png(picture))[0] == 400
        best.parent.mkdir(parents=True)
        for digit in (4, 7):  # also one that takes the place of another
            torch.save(constant(digit), tmp_path / "new")
            (tmp_path / "new").replace(best)
            assert request(port, "GET", "/state")[2]["networks"]["best"] == "best of version_3"
            answer = request(port, "POST", "/read?network=best", png(picture))[2]
            assert (answer["digits"], answer["network"]) == (str(digit), "best of version_3")
        answer = request(port, "POST", "/read", png(picture))[2]
        assert (answer["digits"], answer["network"]) == (read_digits(picture).digits, "pretrained")
        monkeypatch.undo()
        best.write_bytes(b"half a file")
        status, _, answer = request(port, "POST", "/read?network=best", png(picture))
        assert (status, answer.keys()) == (409, {"error"})
        assert "best.ckpt is damaged" in answer["error"]
