"""The page to draw on, as a WSGI application: it gets pictures and answers with what the network makes of them."""

import base64
import hashlib
import ipaddress
import json
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug import exceptions as http
from werkzeug.wrappers import Request, Response

from mnist_cnn.checkpoints import CheckpointError
from mnist_cnn.page.keep import KeepError, Kept
from mnist_cnn.page.networks import Networks
from mnist_cnn.reading.models import pretrained_classifier, probabilities
from mnist_cnn.reading.pictures import PictureError
from mnist_cnn.reading.read import read_digits
from mnist_cnn.reading.results import LAYOUTS
from mnist_cnn.tasks.classifier import NetworkError

MOST_BYTES = 20 * 2**20
"""Larger uploads are refused; drawing.js says so before it sends them."""


class Page:
    """The application. It may be called by several threads; they take turns at the network.

    `GET /` is the page, and `GET /state` says in JSON which networks can answer and what is kept.
    `POST /read?layout=digit`, `row` or `page`, with the bytes of a picture file as the body, answers in JSON: `digits`,
    with rows apart by line breaks, `confidence` of all of it, and for each digit in `confidences` its own, in `boxes`
    left, top, right and bottom in pixels of the upright picture of that `size`, in `images` its 784 pixels (base64) and
    in `probabilities` the ten numbers that the classifier gives to just these pixels. `network=NAME` has another one
    answer. `POST /keep?digits=7`, likewise with a picture, keeps it with that label, if the server was started so;
    without digits it is kept no longer. What went wrong is in `error`, one line, with a status of 4xx or 5xx.

    Nothing that a client sends is used as the name of a file. Requests must be meant for this server by name, so that
    no website can have a domain of its own point here, and pictures must come from this page or from no page at all.
    """

    def __init__(self, networks: Networks | None = None, host: str = "127.0.0.1", kept: Kept | None = None) -> None:
        """Loads the page; by default for the bundled networks and the best of the newest run, and nothing is kept.

        At a host of `0.0.0.0` or `::` clients may call the server by any IP address, which no website's domain can be.
        """
        self.networks, self.kept = networks or Networks(), kept
        self.names = {"localhost", "127.0.0.1", "::1", host.strip("[]").lower()}
        self.any_address = host in ("0.0.0.0", "::")
        page = assembled()
        self.page = page.encode()
        self.headers = _headers(page)
        self.turn = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request."""
        request = Request(environ)
        request.max_content_length = MOST_BYTES
        try:
            response = self._answer(request)
        except http.HTTPException as error:
            response = _json({"error": error.description}, cast(int, error.code))
            if isinstance(error, http.MethodNotAllowed):
                response.allow.update(error.valid_methods or ())
        response.headers.update(self.headers)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        self._check_sender(request)
        look, send = ("GET", "HEAD"), ("POST",)
        allowed = {"/": look, "/state": look, "/read": send, "/keep": send}.get(request.path)
        if not allowed:
            raise http.NotFound("there is nothing here: the page is at /")
        if request.method not in allowed:
            raise http.MethodNotAllowed(allowed, f"use {allowed[0]} here")
        try:
            if request.path == "/":
                return Response(self.page, mimetype="text/html")
            if request.path == "/state":
                return _json(self._state())
            return _json(self._read(request) if request.path == "/read" else self._keep(request))
        except PictureError as error:
            raise http.UnprocessableEntity(f"this picture cannot be read: {error}") from error
        except (CheckpointError, NetworkError, KeepError) as error:
            raise http.Conflict(str(error)) from error
        except OSError as error:
            raise http.ServiceUnavailable(f"this cannot be kept: {error.strerror}") from error

    def _check_sender(self, request: Request) -> None:
        host = request.headers.get("Host", "")
        name = _host_name(host)
        if name not in self.names and not (self.any_address and _is_address(name)):
            raise http.Forbidden("this server does not go by that name: use the address that it printed at its start")
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and origin.partition("://")[2] != host:
            raise http.Forbidden("pictures are taken from this server's own page only")

    def _state(self) -> dict[str, Any]:
        kept = self.kept
        return {
            "networks": self.networks.labels(),
            "kept": kept and {"folder": str(kept.folder), "count": kept.count(), "command": kept.command},
        }

    def _read(self, request: Request) -> dict[str, Any]:
        layout = request.args.get("layout", "digit")
        if layout not in LAYOUTS:
            raise http.BadRequest(f"the layout must be one of {', '.join(LAYOUTS)}")
        labels = self.networks.labels()
        name = request.args.get("network", self.networks.first)
        if name not in labels:
            raise http.BadRequest(f"there is no such network: choose one of {', '.join(labels)}")
        content = _picture(request)
        with self.turn:
            model = self.networks.model(name)
            reading = read_digits(content, layout, model=model)
            classifier = pretrained_classifier() if model is None else model
            shares = probabilities(classifier, reading.images)
        height, width = reading.picture.shape[:2]
        return {
            "network": labels[name],
            "digits": reading.digits,
            "confidence": reading.confidence,
            "confidences": reading.confidences.tolist(),
            "note": reading.opened.remark,
            "turns": reading.turns,
            "size": [width * reading.opened.factor, height * reading.opened.factor],
            "boxes": reading.boxes.tolist(),
            "images": [base64.b64encode(image.tobytes()).decode() for image in reading.images],
            "probabilities": shares.tolist(),
        }

    def _keep(self, request: Request) -> dict[str, Any]:
        if not self.kept:
            raise http.Forbidden("nothing is kept here: start the page with --keep=FOLDER for that")
        if "digits" not in request.args:
            raise http.BadRequest("say what is written there: /keep?digits=7, or /keep?digits= to keep it no longer")
        self.kept.add(_picture(request), request.args["digits"])
        return self._state()


def assembled() -> str:
    """The page in one piece: the files that are named in its style and its script, put there."""

    def put(match: re.Match[str]) -> str:
        parts = [_file(name) for name in match[2].split()]
        return f"<{match[1]}>\n{''.join(parts)}</{match[1]}>"

    return re.sub(r"<(style|script)>([\w. ]+)</\1>", put, _file("page.html"))


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _picture(request: Request) -> bytes:
    try:
        return request.get_data(cache=False)
    except http.RequestEntityTooLarge as error:
        limit = f"the picture has more than {MOST_BYTES // 2**20} MB: send a smaller one"
        raise http.RequestEntityTooLarge(limit) from error


def _headers(page: str) -> dict[str, str]:
    """Headers that keep browsers from running or loading anything but the page's own script and style."""
    hashes = {
        tag: base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        for tag, content in re.findall(r"<(script|style)>(.*?)</\1>", page, flags=re.S)
    }
    policy = (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}'; "
        f"img-src blob: data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, mimetype="application/json")


def _host_name(host: str) -> str:
    """The name or address in a Host header, without its port; empty where it has none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
