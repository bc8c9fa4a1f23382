"""Picture files, found by name, in folders and by patterns."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

OF_PHONES = (".heic", ".heif", ".avif")
"""Endings of formats that Pillow may need a further decoder for."""


CONTACT_SHEET = "mnist_cnn contact sheet"
"""What the contact sheets of this project have as their `Software`."""


def is_contact_sheet(path: Path) -> bool:
    """Whether a file is a contact sheet that this project wrote: the mark is in its first part."""
    try:
        with path.open("rb") as file:
            return CONTACT_SHEET.encode() in file.read(200)
    except OSError:
        return False


def find_pictures(places: str | Iterable[str]) -> tuple[list[Path], list[str]]:
    """The picture files of files, folders (with all folders in them) and glob patterns.

    Of folders only files are taken whose ending is that of an image format, no hidden ones and no contact sheets of
    this project; they come in the order of their names. A file that was named twice comes once.

    Args:
        places: One or several; a name that exists is taken literally, even where it looks like a pattern.

    Returns:
        The files, and a line about each place or folder that could not be used.
    """
    found: dict[Path, None] = {}
    problems: list[str] = []
    for place in [places] if isinstance(places, str) else places:
        path = Path(place).expanduser()
        if not place:  # as a path it would be the current folder
            problems.append("an empty name")
            continue
        if os.path.lexists(path):
            matches = [path]
        else:
            named = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 (also above the current folder)
            if "**" in place:  # goes through links round and round
                named = list({os.path.realpath(match): match for match in reversed(named)}.values())[::-1]
            matches = [Path(match) for match in named]
            if not matches:
                kind = "matches nothing" if glob.has_magic(place) else "no such file or folder"
                problems.append(f"{shown(place)}: {kind}")
        for match in matches:
            files = _walk(match, problems) if match.is_dir() else [match]
            if match.is_dir() and not files:
                problems.append(f"{shown(match)}: no pictures in this folder")
            found.update(dict.fromkeys(files))
    return list(found), problems


def _walk(folder: Path, problems: list[str]) -> list[Path]:
    """All pictures below a folder. Links are followed, but no folder is entered from within itself."""
    endings = {*Image.registered_extensions(), *OF_PHONES}
    files: list[Path] = []

    def complain(error: OSError) -> None:
        problems.append(f"{shown(error.filename)}: {error.strerror}")

    for current, folders, names in os.walk(folder, onerror=complain, followlinks=True):
        here = os.path.realpath(current)
        for name in sorted(folders):
            target = os.path.realpath(Path(current, name))
            if name.startswith("."):
                folders.remove(name)
            elif here == target or here.startswith(target.rstrip(os.sep) + os.sep):
                folders.remove(name)
                problems.append(f"{shown(Path(current, name))}: a link to a folder above it, not followed")
        folders.sort()
        files += [
            Path(current, name)
            for name in sorted(names)
            if not name.startswith(".")
            and (ending := Path(name).suffix.lower()) in endings
            and not (ending == ".png" and Path(current, name).is_file() and is_contact_sheet(Path(current, name)))
        ]
    return files


def shown(path: object) -> str:
    """A path as text on one line, whatever characters are in it."""
    text = str(path).encode("utf-8", "backslashreplace").decode()
    return text if text.isprintable() else text.encode("unicode_escape").decode()
