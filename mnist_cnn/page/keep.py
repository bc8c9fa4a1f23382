"""Pictures that the user has labelled on the page, kept in a folder that `fit --data.labelled` takes."""

import csv
import hashlib
import io
import re
import shlex
import threading
from pathlib import Path

from PIL import Image

from mnist_cnn.atomic import replacing
from mnist_cnn.data.labels import TABLE, delimiter_of
from mnist_cnn.reading.pictures import read_picture
from mnist_cnn.start import program

MOST_PICTURES = 10_000
MOST_BYTES = 2 * 2**30
"""Of all of the pictures together."""
MOST_DIGITS = 100


class KeepError(RuntimeError):
    """A folder or a label that cannot be used; the message is one line that says what to do."""


class Kept:
    """A folder of labelled pictures: `labels.csv` with a line `file,digits` for each, and the files.

    The folder is all there is: lines that were there before, their order and further columns stay as they are, and a
    crash leaves the table as it was. Threads take turns; a folder is for one server at a time.
    """

    def __init__(self, folder: Path) -> None:
        """Opens a folder, or makes one; it is a `KeepError` if it holds something else, or cannot be written."""
        self.folder, self.table = folder.expanduser(), folder.expanduser() / TABLE
        self.turn, self.delimiter = threading.Lock(), ","
        try:
            if not self.table.exists() and self.folder.is_dir() and any(self.folder.glob("[!.]*")):
                raise KeepError(f"{folder} has files, but no {TABLE}: give --keep a new folder, or one that it made")
            self._write(*self._read())
        except OSError as error:
            raise KeepError(f"cannot keep pictures in {folder} ({error.strerror}): give another --keep") from error

    def count(self) -> int:
        """How many pictures have a label."""
        return len(self._read()[1])

    @property
    def command(self) -> str:
        """The command that trains on them."""
        return f"{program()} fit --config finetune {shlex.quote(f'--data.labelled={self.folder}')}"

    def add(self, content: bytes, digits: str) -> None:
        """Keeps a picture, or gives it another label.

        It is kept as the reader sees it, upright, of at most 1600 pixels a side and without what cameras note beside
        the pixels, such as the place. Its name is a hash of that. Without digits it is kept no longer.

        Raises:
            PictureError: The picture cannot be read.
            KeepError: These are no digits, or the folder is full.
            OSError: Nothing can be written; what was there is as it was.
        """
        if not re.fullmatch(f"[0-9]{{0,{MOST_DIGITS}}}", digits):
            raise KeepError(f"a label is 1 to {MOST_DIGITS} digits from 0 to 9")
        file = io.BytesIO()
        Image.fromarray(read_picture(io.BytesIO(content)).pixels).save(file, "PNG")
        name = hashlib.sha256(file.getvalue()).hexdigest()[:24] + ".png"
        with self.turn:
            columns, lines = self._read()
            line = next((line for line in lines if line["file"] == name), None)
            if not digits:
                self._write(columns, [other for other in lines if other is not line])
                self.folder.joinpath(name).unlink(missing_ok=True)
                return
            if line is None:
                self._check_room(lines, len(file.getvalue()))
                lines.append(line := {"file": name})
            line["digits"] = digits
            with replacing(self.folder / name) as picture:
                picture.write(file.getbuffer())
            self._write(columns, lines)

    def _check_room(self, lines: list[dict[str, str]], more: int) -> None:
        used = sum(path.stat().st_size for path in self.folder.glob("*.png"))
        if len(lines) >= MOST_PICTURES or used + more > MOST_BYTES:
            limit = f"{MOST_PICTURES:,} pictures, or {MOST_BYTES // 2**30} GB"
            raise KeepError(f"the folder is full ({limit}): start the page with another --keep")

    def _read(self) -> tuple[list[str], list[dict[str, str]]]:
        if not self.table.exists():
            return ["file", "digits"], []
        try:
            with self.table.open(newline="", encoding="utf-8-sig") as file:
                self.delimiter = delimiter_of(file.readline())
                file.seek(0)
                table = csv.DictReader(file, strict=True, delimiter=self.delimiter)
                columns, lines = list(table.fieldnames or ()), list(table)
        except (csv.Error, UnicodeDecodeError) as error:
            raise KeepError(f"{self.table} is no table ({error}): mend it, or give another --keep") from error
        if not {"file", "digits"} <= {*columns} or any(None in line for line in lines):
            raise KeepError(f"{self.table} must have the columns file,digits: mend it, or give another --keep")
        return columns, lines

    def _write(self, columns: list[str], lines: list[dict[str, str]]) -> None:
        text = io.StringIO()
        table = csv.DictWriter(text, columns, lineterminator="\n", delimiter=self.delimiter)
        table.writeheader()
        table.writerows(lines)
        with replacing(self.table) as file:
            file.write(text.getvalue().encode())
