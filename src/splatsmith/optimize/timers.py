"""Where the time of a run goes: sums of seconds by name, cheap enough to be always on."""

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator


class Timers:
    """Seconds spent in each named part; parts do not overlap."""

    def __init__(self, seconds: dict[str, float] | None = None) -> None:
        self.seconds: dict[str, float] = defaultdict(float, seconds or {})

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count the time of the block under `name`."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - begun

    def rounded(self) -> dict[str, float]:
        """The sums for a report, in milliseconds' precision."""
        return {name: round(value, 3) for name, value in self.seconds.items()}
