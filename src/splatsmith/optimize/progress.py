"""The live line of a run: step, views per second, size of the scene, time left.

On a terminal it is one line that changes; elsewhere a plain line every few seconds.
"""

import sys
import time
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

QUIET_SECONDS = 5.0  # between two plain lines


class ProgressLine:
    """Shows how a run of `steps` steps comes along; `update` may be called at every step."""

    def __init__(self, steps: int, done: int, stream: TextIO | None = None) -> None:
        self.steps = steps
        self.stream = sys.stderr if stream is None else stream
        self._done_before = done
        self._views = 0
        self._begun = self._last = time.perf_counter()
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> "ProgressLine":
        if self.stream.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            console = Console(file=self.stream)
            self._bar = Progress(*columns, console=console, refresh_per_second=5)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=self.steps)
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, step: int, stage: str, views: int, size: str) -> None:
        """One more step is done; `step` counts all stages, `views` those of this step.

        `size` says how large the scene is, such as "2500 splats".
        """
        self._views += views
        now = time.perf_counter()
        if self._bar is not None:
            if now - self._last > 0.1 or step == self.steps:
                self._last = now
                text = self.text(step, stage, size, now)
                self._bar.update(self._task, completed=step, description=text)
        elif now - self._last > QUIET_SECONDS or step == self.steps:
            self._last = now
            left = (now - self._begun) / (step - self._done_before) * (self.steps - step)
            print(
                f"{self.text(step, stage, size, now)}, {left:.0f} s left",
                file=self.stream,
                flush=True,
            )

    def text(self, step: int, stage: str, size: str, now: float) -> str:
        """What the line says, without the time left."""
        rate = self._views / max(now - self._begun, 1e-9)
        return f"{stage}: step {step}/{self.steps}, {rate:.0f} views/s, {size}"
