"""Reading picture files, whatever is in them."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mnist_cnn.reading.folders import find_pictures
from mnist_cnn.reading.pictures import PictureError, from_image, read_picture

GREY = np.tile(np.linspace(40, 220, 60, dtype=np.uint8), (40, 1))
"""A ramp, dark to the left."""


def save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16"])
def test_every_mode_is_seen_alike(mode: str, tmp_path: Path) -> None:
    if mode in ("I", "F"):
        image = Image.fromarray(GREY.astype({"I": np.int32, "F": np.float32}[mode]))
    elif mode == "I;16":
        image = Image.fromarray(GREY.astype(np.uint16) * 250)
    else:
        image = Image.fromarray(GREY).convert(mode)
    ending = {"CMYK": "tif", "YCbCr": "jpg", "F": "tif", "I": "tif"}.get(mode, "png")
    picture, remark, _ = read_picture(save(tmp_path / f"x.{ending}", image))
    assert picture.shape == (40, 60, 3)
    assert picture.dtype == np.uint8
    assert picture[:, -15:].mean() > picture[:, :15].mean() + 60
    assert remark == ""


@pytest.mark.parametrize("name", ["x.png", "palette.png", "palette.tga"])
@pytest.mark.parametrize("ink", [20, 235])
def test_transparency_shows_ink_of_either_brightness(ink: int, name: str, tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[10:30, 18:22] = (ink, ink, ink, 255)
    image = Image.fromarray(pixels)
    picture, *_ = read_picture(save(tmp_path / name, image.quantize() if name.startswith("palette") else image))
    assert abs(int(picture[20, 20, 0]) - int(picture[2, 2, 0])) > 200


@pytest.mark.parametrize(("orientation", "dark"), [(1, "left"), (3, "right"), (6, "top"), (8, "bottom")])
@pytest.mark.parametrize("size", [(60, 40), (3600, 2400)])
def test_pictures_are_turned_as_the_camera_says(
    orientation: int, dark: str, size: tuple[int, int], tmp_path: Path
) -> None:
    image = Image.fromarray(GREY).convert("RGB").resize(size)
    exif = image.getexif()
    exif[0x0112] = orientation
    picture = read_picture(save(tmp_path / "x.jpg", image, exif=exif))[0].astype(int)
    height, width = picture.shape[:2]
    edges = {
        "left": picture[:, : width // 8],
        "right": picture[:, -(width // 8) :],
        "top": picture[: height // 8],
        "bottom": picture[-(height // 8) :],
    }
    assert min(edges, key=lambda name: edges[name].mean()) == dark


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_large_pictures_are_reduced(ending: str, tmp_path: Path) -> None:
    picture, *_ = read_picture(save(tmp_path / f"x.{ending}", Image.new("RGB", (5000, 2500), "white")))
    assert picture.shape == (800, 1600, 3)


def test_an_animation_shows_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (30, 30), level) for level in (200, 20)]
    picture, remark, _ = read_picture(save(tmp_path / "x.gif", frames[0], save_all=True, append_images=frames[1:]))
    assert picture.mean() > 150
    assert "first frame" in remark


def claiming(kind: str, side: int) -> bytes:
    """A small picture whose header claims to be of side x side pixels."""
    form, own = {"PNG": (">II", (60, 40)), "BMP": ("<II", (60, 40)), "JPEG": (">HH", (40, 60))}[kind]
    buffer = io.BytesIO()
    Image.new("L", (60, 40)).save(buffer, kind)
    content = buffer.getvalue()
    assert content.count(struct.pack(form, *own)) == 1
    content = content.replace(struct.pack(form, *own), struct.pack(form, side, side))
    if kind == "PNG":  # its header has a checksum
        content = content[:29] + struct.pack(">I", zlib.crc32(content[12:29])) + content[33:]
    return content


def broken(folder: Path) -> dict[str, str]:
    """Files that cannot be read, and what is said about each."""
    whole = save(folder / "whole.jpg", Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8)))
    (folder / "cut.jpg").write_bytes(whole.read_bytes()[:2000])
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("not an image")
    save(folder / "pixel.png", Image.new("L", (1, 1)))
    whole.unlink()
    (folder / "bomb.png").write_bytes(claiming("PNG", 40_000))
    (folder / "gone.png").symlink_to(folder / "nowhere")
    (folder / "loop.png").symlink_to(folder / "loop.png")
    return {
        "cut.jpg": "damaged",
        "empty.png": "empty",
        "text.png": "not an image",
        "pixel.png": "too few",
        "bomb.png": "million pixels",
        "gone.png": "no such file",
        "loop.png": "symbolic links",
    }


def test_what_cannot_be_read_is_named_in_one_line(tmp_path: Path) -> None:
    for name, reason in broken(tmp_path).items():
        with pytest.raises(PictureError) as error:
            read_picture(tmp_path / name)
        assert str(error.value).startswith(str(tmp_path / name)), name
        assert reason in str(error.value), name
        assert "\n" not in str(error.value)
    with pytest.raises(PictureError, match="a folder"):
        read_picture(tmp_path)


def test_an_open_file_is_read_like_a_named_one(tmp_path: Path) -> None:
    content = save(tmp_path / "x.png", Image.fromarray(GREY)).read_bytes()
    np.testing.assert_array_equal(read_picture(io.BytesIO(content))[0], read_picture(tmp_path / "x.png")[0])
    for bad, reason in ((b"", "an empty file"), (b"text", "not an image, or of an unknown format")):
        with pytest.raises(PictureError, match=f"^{reason}$"):
            read_picture(io.BytesIO(bad))


def test_postscript_is_not_executed(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "x.eps")
    with pytest.raises(PictureError, match="not an image, or of an unknown format"):
        read_picture(tmp_path / "x.eps")


@pytest.mark.parametrize(("kind", "side"), [("PNG", 100_000), ("BMP", 100_000), ("JPEG", 65_500)])
def test_a_header_that_claims_more_than_memory(kind: str, side: int, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(claiming(kind, side))
    with pytest.raises(PictureError, match="more than 120 million pixels"):
        read_picture(path)


@pytest.mark.parametrize("mode", ["La", "PA", "HSV", "RGBa", "CMYK"])
def test_rare_modes_are_converted(mode: str) -> None:
    assert from_image(Image.new(mode, (30, 20))).pixels.shape == (20, 30, 3)


def test_an_opened_image_that_is_damaged_is_refused(tmp_path: Path) -> None:
    whole = save(tmp_path / "x.jpg", Image.fromarray(np.random.default_rng(0).integers(0, 255, (99, 99), np.uint8)))
    with Image.open(io.BytesIO(whole.read_bytes()[:2000])) as image, pytest.raises(PictureError, match="cannot be"):
        from_image(image)


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(PictureError, match="no pixels"):
        from_image(Image.new("L", (0, 5)))


def test_numbers_that_are_none_are_seen_as_nothing() -> None:
    values = np.tile(np.linspace(0, 1, 60, dtype=np.float32), (40, 1))
    values[0], values[1] = np.nan, np.inf
    pixels = from_image(Image.fromarray(values)).pixels
    assert pixels[10, -10, 0] > pixels[10, 10, 0] + 100


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(PictureError, match="not a regular file"):
        read_picture(tmp_path / "pipe.png")


def test_files_of_folders_and_patterns_in_a_stable_order(tmp_path: Path) -> None:
    for name in ("b/2.png", "b/1.JPG", "a.png", "b/deep/3.webp", "b/notes.txt", "b/.hidden.png", ".git/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "b" / "deep" / "up").symlink_to(tmp_path / "b")

    def names(places: str | list[str]) -> list[str]:
        found, problems = find_pictures(places)
        texts.extend(problems)
        return [str(path.relative_to(tmp_path)) for path in found]

    texts: list[str] = []
    assert names(str(tmp_path)) == ["a.png", "b/1.JPG", "b/2.png", "b/deep/3.webp"]
    assert len(texts) == 1
    assert "a link to a folder above it" in texts.pop()
    assert names(f"{tmp_path}/b/*.png") == ["b/2.png"]
    assert names(f"{tmp_path}/**/*.webp") == ["b/deep/3.webp"]
    assert names([f"{tmp_path}/a.png", f"{tmp_path}/b/2.png", f"{tmp_path}/a.png"]) == ["a.png", "b/2.png"]
    assert not texts
    (tmp_path / "empty").mkdir()
    assert names([f"{tmp_path}/empty", f"{tmp_path}/none.png", f"{tmp_path}/*.bmp"]) == []
    assert [text.split(": ")[1] for text in texts] == [
        "no pictures in this folder",
        "no such file or folder",
        "matches nothing",
    ]


def test_names_that_look_like_patterns_are_taken_literally(tmp_path: Path) -> None:
    for name in ("[1].png", "a\nb,c.png", "1.png"):
        (tmp_path / name).touch()
    found, problems = find_pictures([str(tmp_path / "[1].png"), str(tmp_path / "a\nb,c.png")])
    assert [path.name for path in found] == ["[1].png", "a\nb,c.png"]
    assert not problems
    with pytest.raises(PictureError) as error:
        read_picture(found[1])
    assert "a\\nb,c.png" in str(error.value)


def test_pictures_of_phones_are_read_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pillow_heif

    pillow_heif.from_pillow(Image.new("RGB", (64, 48), (200, 10, 10))).save(tmp_path / "phone.HEIC")
    (found,), problems = find_pictures(str(tmp_path))
    assert not problems
    assert np.abs(read_picture(found).pixels.astype(int) - (200, 10, 10)).max() < 12
    monkeypatch.setattr("mnist_cnn.reading.pictures._formats", lambda: ["PNG"])  # as without a decoder
    with pytest.raises(PictureError, match=r"phone\.HEIC: .*pip install pillow-heif"):
        read_picture(found)
