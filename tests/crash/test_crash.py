"""Kills and signals, against the real processes."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def test_ten_kills_end_in_the_same_bytes():
    command = [sys.executable, str(HERE / "kill.py"), "--kills", "10", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = re.search(r"10 kills, (\d+) left half a save, 0 files differ", done.stdout)
    assert summary, done.stdout
    assert int(summary[1]) >= 3, f"too few kills fell into a save:\n{done.stdout}"


def test_sigterm_saves_and_says_how_to_go_on(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, str(HERE / "child.py"), str(folder), "--slow-steps"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    events = folder / "events.jsonl"
    while child.poll() is None and not (folder / "checkpoints" / "step-000005").exists():
        time.sleep(0.01)
    child.send_signal(signal.SIGTERM)
    _, said = child.communicate(timeout=60)
    assert child.returncode == 143, said
    lines = [line for line in said.splitlines() if not line.startswith("warning")]
    assert re.fullmatch(
        rf"stopped by SIGTERM at step \d+; saved in {folder}; "
        rf"go on with: splatsmith generate --resume {folder}",
        "\n".join(lines),
    ), said
    step = int(re.search(r"at step (\d+)", said)[1])
    assert (folder / "checkpoints" / f"step-{step:06d}" / "manifest.json").exists()
    assert json.loads(events.read_text().splitlines()[-1])["step"] == step
    assert json.loads((folder / "report.json").read_text())["status"] == "running"


def test_a_second_signal_ends_a_run_at_once():
    script = (
        "import os, signal, time\n"
        "from splatsmith.optimize.signals import Signals\n"
        "with Signals() as signals:\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    assert signals.pending == signal.SIGTERM\n"
        "    print('noted', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "noted\n"
    assert done.returncode == -signal.SIGTERM
