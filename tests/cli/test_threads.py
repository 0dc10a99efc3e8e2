"""The command line tells OpenMP's threads to rest soon, unless a user decided otherwise."""

import os
import subprocess
import sys

import pytest

from splatsmith.threads import SETTINGS, SPINS, rest_soon

TOLD = """
from splatsmith.cli import main
main(["recipes"])
import os, torch
print(os.environ.get("GOMP_SPINCOUNT"))
"""


@pytest.mark.parametrize(
    ("decided", "expected"),
    [({}, SPINS), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, "None")],
)
def test_a_command_says_it_before_torch_is_there(decided, expected) -> None:
    free = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    command = [sys.executable, "-c", TOLD]
    done = subprocess.run(
        command, env=free | decided, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == expected


def test_it_is_too_late_where_torch_already_runs(monkeypatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    assert not rest_soon()
    assert "GOMP_SPINCOUNT" not in os.environ
