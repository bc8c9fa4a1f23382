"""Looks by chance that put several of `styles.py` together."""

from dataclasses import replace
from typing import Any

from examiner.kinds import any_of, between
from examiner.looks import BLACK, Look
from examiner.strokes import Rng
from examiner.styles import BLUE, GREEN, INKS, RED, drawing, photo, ruled, scan, squared


def small(rng: Rng, side: int) -> Look:
    """So many pixels each way that it was reduced to."""
    make = any_of(drawing, scan, photo)(rng)
    return make(
        rng,
        size=(20 * side, 20 * side),
        digit=rng.uniform(0.65, 0.8),
        angle=rng.uniform(-5, 5),
        offset=(0.0, 0.0),
        pen=rng.uniform(0.1, 0.13),
        stored=(side, side),
        kind="png",
        mode="L" if rng.random() < 0.5 else "RGB",
        invert=bool(rng.random() < 0.4),
    )


def everything(rng: Rng, **changes: Any) -> Look:
    """Several difficulties at once, each mild enough that a person still reads it at a glance."""
    look = any_of(photo, ruled, squared, photo)(rng)(rng)
    look = replace(
        look,
        ink=any_of(*INKS, RED, GREEN)(rng),
        paper=any_of((238, 237, 232), (246, 238, 214), (226, 226, 222), (240, 226, 190))(rng),
        digit=rng.uniform(0.25, 0.5),
        pen=rng.uniform(0.025, 0.11),
        opacity=rng.uniform(0.45, 0.95),
        blotch=rng.uniform(0, 0.25),
        texture=rng.uniform(0.01, 0.025),
        angle=rng.uniform(-10, 10),
        roll=rng.uniform(-4, 4),
        tilt=rng.uniform(0, 0.04),
        unevenness=rng.uniform(0.2, 0.9),
        exposure=rng.uniform(0.45, 0.95),
        vignette=rng.uniform(0, 0.4),
        noise=rng.uniform(0.015, 0.035),
        quality=int(rng.integers(45, 90)),
    )
    extras: list[dict[str, Any]] = [
        {"shadow": rng.uniform(0.25, 0.55), "penumbra": rng.uniform(0.002, 0.03)},
        {"specks": 8, "neighbours": 2},
        {"through": rng.uniform(0.05, 0.12)},
        {"holes": True, "crease": 0.06},
        {"motion": rng.uniform(0.01, 0.03)} if (look.pen or 0) > 0.05 else {"defocus": 0.006},
        {"orientation": int(rng.choice([3, 6, 8]))},
    ]
    chosen = rng.choice(len(extras), 3, replace=False)
    for i in chosen:
        look = replace(look, **extras[i])
    return replace(look, **changes)


def either(rng: Rng, **changes: Any) -> Look:
    """A photo or a scan, of a size that is quickly rendered."""
    look = photo(rng, size=(640, 640 + int(rng.integers(0, 240)))) if rng.random() < 0.6 else scan(rng)
    return replace(look, **changes)


def on_desk(rng: Rng, **changes: Any) -> Look:
    """A sheet that takes about a quarter of the photo, on a desk."""
    look = photo(rng, size=(1200, 900), pen=rng.uniform(0.05, 0.09), sheet=rng.uniform(0.45, 0.6))
    return replace(look, angle=0.0, roll=rng.uniform(-8, 8), tilt=rng.uniform(0, 0.06), **changes)


def lined(rng: Rng, **changes: Any) -> Look:
    """Ruled or squared paper."""
    return (ruled if rng.random() < 0.5 else squared)(rng, **changes)


def photo_or_scan(rng: Rng) -> Look:
    """One of them."""
    return (photo if rng.random() < 0.5 else scan)(rng)


def two_inks(rng: Rng) -> Look:
    """One pen gave out within the digit, and another one went on."""
    one, other = rng.choice(5, 2, replace=False)
    inks = (BLACK, BLUE, RED, GREEN, (110, 60, 150))
    return either(rng, ink=inks[one], inks=inks[other], mode="RGB", pen=rng.uniform(0.05, 0.1))


PALE: dict[str, Any] = {
    "fade": between(0.7, 0.85),
    "extra": lambda rng: {"fade right": bool(rng.random() < 0.5)},
    "opacity": 0.95,
}
"""Ink that runs out, or a pen that is pressed less and less."""
