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

from torch import nn
from werkzeug.exceptions import (
    BadRequest,
    Forbidden,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    UnprocessableEntity,
)
from werkzeug.wrappers import Request, Response

from mnist_cnn.reading import read_digits
from mnist_cnn.reading.models import pretrained_classifier, probabilities
from mnist_cnn.reading.pictures import PictureError
from mnist_cnn.reading.sighting import LAYOUTS, Layout

MOST_BYTES = 20 * 2**20
"""Larger uploads are refused; page.html says so before it sends them."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Page:
    """The application. It may be called by several threads; they take turns at the network.

    `GET /` is the page. `POST /read?layout=digit`, `row` or `page`, with the bytes of a picture file as the body,
    answers in JSON: `digits`, `confidence`, and for each digit in `boxes` left, top, right and bottom in pixels of the
    upright picture of that `size`, in `images` its 784 pixels (base64) and in `probabilities` the ten numbers that the
    classifier gives to just these pixels. What went wrong is in `error`, one line, with a status of 4xx.

    Nothing that a client sends is used as the name of a file. Requests must be meant for this server by name, so that
    no website can have a domain of its own point here, and pictures must come from this page or from no page at all.
    """

    def __init__(self, model: nn.Module | None = None, host: str = "127.0.0.1") -> None:
        """Loads the page.

        Args:
            model: A trained `DigitClassifier`, or any network that returns logits or log-probabilities. Default: what
                comes with the package.
            host: The address or name that the server listens at. With `0.0.0.0` or `::` clients may call it by any
                IP address, which no domain of a website can be.
        """
        self.model = model.eval() if model else None
        self.names = {*LOOPBACK, host.strip("[]").lower()}
        self.any_address = host in ("0.0.0.0", "::")
        page = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
        self.page = page.encode()
        self.headers = _headers(page)
        self.turn = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers a request."""
        request = Request(environ)
        request.max_content_length = MOST_BYTES
        try:
            response = self._answer(request)
        except HTTPException as error:
            response = _json({"error": error.description}, cast(int, error.code))
            if isinstance(error, MethodNotAllowed):
                response.allow.update(error.valid_methods or ())
        response.headers.update(self.headers)
        return response(environ, start_response)

    def _answer(self, request: Request) -> Response:
        self._check_sender(request)
        allowed = {"/": ("GET", "HEAD"), "/read": ("POST",)}.get(request.path)
        if not allowed:
            raise NotFound("there is nothing here: the page is at /")
        if request.method not in allowed:
            raise MethodNotAllowed(allowed, f"use {allowed[0]} here")
        if request.path == "/":
            return Response(self.page, mimetype="text/html")
        layout = request.args.get("layout", "digit")
        if layout not in LAYOUTS:
            raise BadRequest(f"the layout must be one of {', '.join(LAYOUTS)}")
        try:
            content = request.get_data(cache=False)
        except RequestEntityTooLarge as error:
            limit = f"the picture has more than {MOST_BYTES // 2**20} MB: send a smaller one"
            raise RequestEntityTooLarge(limit) from error
        try:
            with self.turn:
                return _json(self._read(content, layout))
        except PictureError as error:
            raise UnprocessableEntity(f"this picture cannot be read: {error}") from error

    def _check_sender(self, request: Request) -> None:
        host = request.headers.get("Host", "")
        name = _host_name(host)
        if name not in self.names and not (self.any_address and _is_address(name)):
            raise Forbidden("this server does not go by that name: use the address that it printed at its start")
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin is not None and origin.partition("://")[2] != host:
            raise Forbidden("pictures are taken from this server's own page only")

    def _read(self, content: bytes, layout: Layout) -> dict[str, Any]:
        reading = read_digits(content, layout, model=self.model)
        height, width = reading.picture.shape[:2]
        return {
            "digits": reading.digits,
            "confidence": reading.confidence,
            "note": reading.opened.remark,
            "turns": reading.turns,
            "size": [width * reading.opened.factor, height * reading.opened.factor],
            "boxes": reading.boxes.tolist(),
            "images": [base64.b64encode(image.tobytes()).decode() for image in reading.images],
            "probabilities": probabilities(self.model or pretrained_classifier(), reading.images).tolist(),
        }


def _headers(page: str) -> dict[str, str]:
    """What keeps browsers from running or loading anything but the page's own script and style."""
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
