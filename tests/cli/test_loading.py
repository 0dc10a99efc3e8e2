"""What torch leaves behind is not looked through for garbage; what a test leaves is."""

import gc
import subprocess
import sys

from splatsmith.memory import loading

FRESH = """
import gc
from splatsmith.memory import loading
with loading():
    assert not gc.isenabled()
    import torch
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""


def test_a_fresh_process_sets_aside_what_it_imports() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FRESH], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["True", "True"]


def test_nothing_is_set_aside_where_torch_is_there_already() -> None:
    import torch  # noqa: F401

    before = gc.get_freeze_count()
    with loading():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before


def test_garbage_is_looked_for_again_if_an_import_fails(monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(gc, "freeze", lambda: None)
    try:
        with loading():
            raise ImportError("none")
    except ImportError:
        pass
    assert gc.isenabled()
