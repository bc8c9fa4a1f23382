"""The page to draw on in a browser, driven for tests: strokes of the mouse, canned answers, and what is shown."""

import base64
import io
from collections.abc import Sequence
from typing import Any

from drawn import Mnist, enlarged, finished, on_paper
from PIL import Image

Point = tuple[float, float]


def draw(page: Any, points: Sequence[Point], left: float = 0.0) -> None:
    """A stroke with the mouse; coordinates are in units of the paper's height."""
    box = page.locator("#paper").bounding_box()
    at = [(box["x"] + (left + x) * box["height"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place)
    page.mouse.up()


def shares(page: Any) -> list[float]:
    return [float(text.removesuffix("%")) for text in page.locator("#bars em").all_text_contents()]


def ink(page: Any) -> int:
    """How many pixels of the picture that the network saw are bright."""
    script = "c => c.getContext('2d').getImageData(0, 0, 28, 28).data.filter((v, i) => i % 4 == 0 && v > 127).length"
    return page.locator("#seen canvas").first.evaluate(script)


def canned(page: Any, digits: str = "1", **more: Any) -> None:
    """Has all pictures answered so, whatever is in them."""
    count = len(digits.replace("\n", ""))
    one = {"images": base64.b64encode(bytes(784)).decode(), "probabilities": [0.1] * 10, "boxes": [1, 1, 9, 9]}
    many = {key: [value] * count for key, value in {**one, "confidences": 0.9}.items()}
    answer = {"digits": digits, "network": "pretrained", "confidence": 0.9, "size": [512, 512], **many, **more}
    page.route("**/read*", lambda route: route.fulfill(json=answer))


def boxes(page: Any, colour: str) -> list[float]:
    """Left, top, right and bottom of what is drawn over the paper in red or in green; empty for nothing."""
    script = """(layer, sign) => {
        const {width, height} = layer;
        const data = layer.getContext("2d").getImageData(0, 0, width, height).data;
        const x = [], y = [];
        for (let i = 0; i < width * height; i++) {
            if (sign * (data[4 * i] - data[4 * i + 1]) > 60) { x.push(i % width); y.push(i / width | 0); }
        }
        const ends = (values) => values.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
        const [[left, right], [top, bottom]] = [ends(x), ends(y)];
        return x.length ? [left, top, right, bottom] : [];
    }"""
    return page.locator("#boxes").evaluate(script, {"red": 1, "green": -1}[colour])


def photo(mnist: Mnist, label: int) -> bytes:
    images, labels = mnist
    digit = images[(labels == label).nonzero()[3].item(), 0].numpy()
    content = io.BytesIO()
    Image.fromarray(finished(on_paper(enlarged(digit, 150)))).save(content, "PNG")
    return content.getvalue()
