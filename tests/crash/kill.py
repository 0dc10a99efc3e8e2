"""Kill -9 a run at random moments, resume it, and compare every byte with an undisturbed run.

    python tests/crash/kill.py --kills 50 [--seed 0]

Half of the children save slowly, and the kill waits until a save has begun: it then falls
between write, fsync and rename. The moments follow from the seed. Each run is killed twice
before it may finish. Exits with 1 if any run ends in other bytes.

Children are forked off a process that has imported everything and computed nothing, each into a
process group of its own.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import child
import torch._dynamo  # noqa: F401 (an optimizer imports it; once is enough for all children)

import splatsmith.optimize.run  # noqa: F401 (the same)
from splatsmith.cli.main import guarded

VOLATILE = ("report.json", "turntable.mp4")  # the times of a run, and a film of its last state
LONGEST = 120.0  # seconds that a child may take
KILLS_PER_RUN = 2


@dataclass(frozen=True)
class Kill:
    """One kill: into what it fell and what it left."""

    folder: Path
    aimed: bool  # at a save
    step: int  # of the newest checkpoint afterwards, -1 if there was none
    unfinished: bool  # whether half a save was left behind


class Child:
    """A run in a process of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.log = folder.with_suffix(".log")
        self.code: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._become(folder, options)

    def _become(self, folder: Path, options: tuple[str, ...]) -> None:
        os.setsid()
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 70
        try:
            code = guarded(lambda: child.main([str(folder), *options]))
        finally:
            os._exit(code)

    def running(self) -> bool:
        """Whether it has not ended yet."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is None

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Until the condition holds or the child has ended."""
        deadline = time.monotonic() + LONGEST
        while self.running() and not condition():
            if time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"{self.log}: the child neither ended nor went on")
            time.sleep(0.001)

    def kill(self) -> None:
        """End the whole process group at once."""
        if self.running():
            os.killpg(self.pid, signal.SIGKILL)
            self.wait_for(lambda: False)


def finished(folder: Path, *options: str) -> None:
    """Let a run go on undisturbed; raises if it does not end well."""
    run = Child(folder, *options)
    run.wait_for(lambda: False)
    if run.code != 0:
        raise RuntimeError(f"{folder}: exit {run.code}\n{run.log.read_text()}")


def killed(folder: Path, *, aimed: bool, draw: random.Random) -> Kill:
    """Begin a run, or go on with it, and kill it at a random moment."""
    patience, passed = draw.random(), draw.randrange(4)
    run = Child(folder, "--resume", *(["--slow-save"] if aimed else []))
    run.wait_for(lambda: _read(folder / ".lock") == str(run.pid))
    if aimed:
        for _ in range(passed):
            run.wait_for(lambda: saving(folder))
            run.wait_for(lambda: not saving(folder))
        run.wait_for(lambda: saving(folder))
        time.sleep(patience * 0.3)  # about as long as a slow save
    else:
        time.sleep(patience * 0.8)  # about as long as a whole run
    run.kill()
    steps = [int(p.parent.name[5:]) for p in (folder / "checkpoints").glob("*/manifest.json")]
    return Kill(folder, aimed, max(steps, default=-1), saving(folder))


def saving(folder: Path) -> bool:
    """Whether a checkpoint has been begun and not been finished."""
    steps = list((folder / "checkpoints").glob("step-*"))
    return any(not (step / "manifest.json").exists() for step in steps)


def contents(folder: Path) -> dict[str, bytes]:
    """Every byte that must not depend on kills."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in VOLATILE]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def sweep(root: Path, kills: int, seed: int) -> tuple[list[Kill], list[str]]:
    """Kill as often as asked; returns the kills and the files that came out wrong."""
    finished(root / "whole")
    expected = contents(root / "whole")
    draw = random.Random(seed)
    done: list[Kill] = []
    wrong: list[str] = []
    while len(done) < kills:
        folder = root / f"run-{len(done):03d}"
        for _ in range(min(KILLS_PER_RUN, kills - len(done))):
            done.append(killed(folder, aimed=len(done) % 2 == 0, draw=draw))
        finished(folder, "--resume")
        found = contents(folder)
        names = sorted(found.keys() | expected)
        wrong += [f"{folder.name}/{n}" for n in names if found.get(n) != expected.get(n)]
    return done, wrong


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        done, wrong = sweep(Path(root), options.kills, options.seed)
    for kill in done:
        place = "aimed at a save" if kill.aimed else "anywhere"
        left = ", half a save was left" if kill.unfinished else ""
        print(f"{kill.folder.name}: {place}, newest checkpoint {kill.step}{left}")
    print(
        f"{len(done)} kills, {sum(kill.unfinished for kill in done)} left half a save, "
        f"{len(wrong)} files differ, {time.monotonic() - begun:.0f} s"
    )
    print("\n".join(wrong))
    return 1 if wrong else 0


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
