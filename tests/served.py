"""The page to draw on, served for tests, and requests to it."""

import http.client
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from PIL import Image

from mnist_cnn.networks import MLP
from mnist_cnn.page import app, server
from mnist_cnn.page.keep import Kept
from mnist_cnn.page.networks import Networks
from mnist_cnn.tasks.classifier import DigitClassifier

Answer = tuple[int, http.client.HTTPMessage, Any]


def untrained() -> DigitClassifier:
    """A small network with random weights, always the same."""
    torch.manual_seed(0)
    return DigitClassifier(network=MLP(hidden=(8,))).eval()


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
