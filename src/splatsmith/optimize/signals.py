"""Ctrl-C and SIGTERM ask a run to save and stop; asked a second time, it stops at once."""

import os
import signal
import threading
from types import FrameType
from typing import Any


class Interrupted(KeyboardInterrupt):
    """A run was asked to stop and has saved; resuming goes on from `step`."""

    def __init__(self, number: int, step: int, folder: str | None) -> None:
        self.number = number
        self.step = step
        self.folder = folder
        where = "nothing was saved" if folder is None else f"saved in {folder}"
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step}; {where}")


class Signals:
    """While the block runs, the first signal is noted in `pending` and the second one kills.

    Outside the main thread, where Python allows no handlers, nothing is changed.
    """

    watched = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.pending: int | None = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            for number in self.watched:
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.pending is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.pending = number
