"""Ctrl-C and SIGTERM: at once, or when it is convenient."""

import os
import signal
import threading
from types import FrameType
from typing import Any, Self

from lightning.pytorch.utilities.rank_zero import rank_zero_only


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM; says in its message what was saved."""

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message)
        self.number = number


class StopSignals:
    """Turns Ctrl-C and SIGTERM into `Interrupted`: at once, or, while `deferred`, when `Guard` finds it convenient.

    The second signal always acts at once.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.deferred = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self.received, self.deferred = None, False
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
            # Those that are ignored, as under nohup, stay so.
            self._before = {number: old for number, old in handlers.items() if old != signal.SIG_IGN}
        self.take_over()
        return self

    def __exit__(self, *args: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def take_over(self) -> None:
        """Handles the signals, also after Lightning has replaced the handlers; does nothing outside of `with`."""
        for number in self._before:
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.deferred or self.received is not None:
            self.deferred = False
            raise Interrupted(number)
        self.received = number
        if not getattr(rank_zero_only, "rank", 0):  # print() may be what was interrupted
            os.write(2, b"\nstopping at the next step or after validation (Ctrl-C again: at once)\n")
