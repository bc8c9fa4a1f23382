"""The page to draw on, over HTTP: bad pictures, requests that mean harm, and what keeps it from starting."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Fails, Patch
from served import Fixed, png, request, running, untrained

from mnist_cnn.page import app, server


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(Fixed(untrained())) as port:
        yield port


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return np.full((60, 60, 3), 255, np.uint8)


def test_browsers_are_told_to_run_the_page_alone(port: int) -> None:
    for method, path in (("GET", "/"), ("GET", "/nothing"), ("POST", "/read")):
        _, headers, _ = request(port, method, path)
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'sha256-")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Python" not in headers.get("Server", "")


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


def test_uploads_have_a_limit(port: int, monkeypatch: Patch) -> None:
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


def test_on_all_addresses_it_answers_to_figures_and_to_no_other_name() -> None:
    with running(Fixed(untrained()), "0.0.0.0") as port:
        assert request(port, "GET", "/", Host=f"192.168.1.5:{port}")[0] == 200
        assert request(port, "GET", "/", Host=f"evil.example:{port}")[0] == 403


def test_what_keeps_it_from_starting_is_said_in_one_line(
    fails: Fails, monkeypatch: Patch, tmp_path: Path, port: int
) -> None:
    def start(*options: str) -> None:
        server.main(["--no-open", *options])

    monkeypatch.chdir(tmp_path)
    assert "train one with fit" in fails(start, "--ckpt_path=best")
    assert "no checkpoint file 'xxx" in fails(start, f"--ckpt_path={300 * 'x'}")
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
