"""The page to draw on, over HTTP: good pictures, bad ones, and requests that mean harm."""

import base64
import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn import enlarged, finished, on_paper
from PIL import Image

from mnist_cnn import read_digits
from mnist_cnn.callbacks.contact_sheet import UNSURE
from mnist_cnn.data import files
from mnist_cnn.networks import MLP
from mnist_cnn.page import app, networks, server
from mnist_cnn.page.keep import Kept
from mnist_cnn.page.networks import Networks
from mnist_cnn.tasks.classifier import DigitClassifier

Answer = tuple[int, http.client.HTTPMessage, Any]


class Fixed(Networks):
    """One network that is there already."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__("fixed")
        self.only = model

    def labels(self) -> dict[str, str]:
        return {"fixed": "Fixed"}

    def model(self, name: str) -> torch.nn.Module:
        return self.only


@contextmanager
def running(networks: Networks, host: str = "127.0.0.1", kept: Kept | None = None) -> Iterator[int]:
    """A server in a thread; its port."""
    listening = server.serve(app.Page(networks, host, kept), host, 0)
    thread = threading.Thread(target=listening.run, daemon=True)
    thread.start()
    try:
        yield listening.effective_port
    finally:
        listening.trigger.pull_trigger(listening.close)
        thread.join(10)
        listening.task_dispatcher.shutdown()


@pytest.fixture(scope="module")
def model() -> DigitClassifier:
    torch.manual_seed(0)
    return DigitClassifier(network=MLP(hidden=(8,))).eval()


@pytest.fixture(scope="module")
def port(model: DigitClassifier) -> Iterator[int]:
    with running(Fixed(model)) as port:
        yield port


def request(port: int, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        content = response.read()
        is_json = response.headers["Content-Type"] == "application/json"
        return response.status, response.headers, json.loads(content) if is_json else content
    finally:
        connection.close()


def png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


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


def test_browsers_are_told_to_run_the_page_alone(port: int) -> None:
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("POST", "/read")):
        _, headers, _ = request(port, method, path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'sha256-")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Python" not in headers.get("Server", "")


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


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"<svg onload=alert(1)>", "not an image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
        (b"../../../etc/passwd", "not an image"),
        (b"P6 100000 100000 255 ", "more than 120 million pixels"),
        (png(np.zeros((1, 1), np.uint8)), "only 1x1 pixels"),
        (png(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8))[:2000], "damaged"),
    ],
    ids=["empty", "script", "program", "path", "huge", "pixel", "cut"],
)
def test_what_is_no_picture_is_named_in_one_line(port: int, content: bytes, reason: str) -> None:
    status, _, answer = request(port, "POST", "/read", content)
    assert status == 422
    assert answer.keys() == {"error"}
    assert answer["error"].startswith(f"this picture cannot be read: {reason}")
    assert "\n" not in answer["error"]


def test_uploads_have_a_limit(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "MOST_BYTES", 2**20)
    for body in (bytes(2**20 + 1), iter([bytes(2**19)] * 3)):  # with its length, and in chunks without
        status, _, answer = request(port, "POST", "/read", body)
        assert status == 413
        assert answer == {"error": "the picture has more than 1 MB: send a smaller one"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/../../../../etc/passwd", 404),
        ("GET", "/%2e%2e/%2e%2e/etc/passwd", 404),
        ("GET", "//page.html", 404),
        ("GET", "/page.html", 404),
        ("GET", "/page.css", 404),
        ("GET", "/app.py", 404),
        ("POST", "/", 405),
        ("GET", "/read", 405),
        ("PUT", "/read", 405),
        ("POST", "/read?layout=../digit", 400),
        ("POST", "/read?network=../../runs/best.ckpt", 400),
        ("GET", "/keep?digits=1", 405),
        ("POST", "/state", 405),
        ("POST", "/keep?digits=1", 403),
    ],
)
def test_nothing_else_is_served(port: int, method: str, path: str, status: int) -> None:
    answered, headers, answer = request(port, method, path)
    assert answered == status
    assert "\n" not in answer["error"]
    assert (status == 405) == ("Allow" in headers)


def test_requests_under_a_foreign_name_are_refused(port: int, picture: np.ndarray) -> None:
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "10.0.0.7", "", "[::1", "[evil]"):
        for method, path, body in (("GET", "/", None), ("POST", "/read", png(picture))):
            status, _, answer = request(port, method, path, body, Host=name)
            assert (status, answer.keys()) == (403, {"error"}), name
    for name in (f"127.0.0.1:{port}", f"localhost:{port}", "LOCALHOST", f"[::1]:{port}"):
        assert request(port, "GET", "/", Host=name)[0] == 200


def test_other_websites_cannot_have_pictures_read(port: int, picture: np.ndarray) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", f"http://127.0.0.1:{port}.evil.example", ""):
        assert request(port, "POST", "/read", png(picture), Origin=origin)[0] == 403
    assert request(port, "POST", "/read", png(picture), Origin=f"http://127.0.0.1:{port}")[0] == 200


def test_on_all_addresses_it_answers_to_figures_and_to_no_other_name(model: DigitClassifier) -> None:
    with running(Fixed(model), "0.0.0.0") as port:
        assert request(port, "GET", "/", Host=f"192.168.1.5:{port}")[0] == 200
        assert request(port, "GET", "/", Host=f"evil.example:{port}")[0] == 403


def test_many_at_once_get_their_own_answers(port: int, model: DigitClassifier, digits: torch.Tensor) -> None:
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


def test_the_network_is_chosen_while_it_runs(
    tmp_path: Path, model: DigitClassifier, picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_what_keeps_it_from_starting_is_said_in_one_line(
    fails: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, port: int
) -> None:
    def start(*options: str) -> None:
        server.main(["--no-open", *options])

    monkeypatch.chdir(tmp_path)
    assert "train one with fit" in fails(start, "--ckpt_path=best")
    assert "give a number from 0 to 65535" in fails(start, "--port=70000")
    assert "unrecognized arguments" in fails(start, "--prot=1")
    Path("text.ckpt").write_text("text")
    assert "text.ckpt is damaged, or no checkpoint" in fails(start, "--ckpt_path=text.ckpt")
    assert "has files, but no labels.csv" in fails(start, "--keep=.")
    assert f"port {port} (Address already in use)" in fails(start, f"--port={port}")
    for host in ("no.such.name.invalid", "8.8.8.8", "a" * 70):
        assert f"cannot listen at {host}" in fails(start, f"--host={host}")
    monkeypatch.setattr(server, "waitress", None)
    assert 'pip install -e ".[demo]"' in fails(start)
