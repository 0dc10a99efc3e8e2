"""Importing the package is quick, because it imports little."""

import json
import os
import subprocess
import sys

EXTRAS = {
    "gsplat",
    "skimage",
    "diffusers",
    "transformers",
    "ray",
    "viser",
    "trimesh",
    "pxr",
    "rembg",
    "zstandard",
    "scipy",
    "xatlas",
    "fast_simplification",
}

LIST_MODULES = """
import json, sys, time
start = time.perf_counter()
{statement}
seconds = time.perf_counter() - start
print()
print(json.dumps([seconds, sorted(name.split(".")[0] for name in sys.modules)]))
"""


def modules_after(statement: str) -> tuple[float, set[str]]:
    """Seconds that a statement takes in a fresh interpreter, and what is imported then."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES.format(statement=statement)],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seconds, names = json.loads(done.stdout.splitlines()[-1])
    return seconds, set(names)


def test_import_splatsmith_imports_neither_extras_nor_torch():
    seconds, names = modules_after("import splatsmith")
    print(f"import splatsmith: {seconds * 1000:.0f} ms")
    assert "splatsmith" in names
    assert not names & (EXTRAS | {"torch", "av", "numpy"})


def test_the_whole_public_api_imports_no_extras():
    statement = "import splatsmith\n[getattr(splatsmith, name) for name in splatsmith.__all__]"
    seconds, names = modules_after(statement)
    print(f"everything in splatsmith.__all__: {seconds:.2f} s")
    assert "torch" in names
    assert not names & EXTRAS


def test_help_does_not_wait_for_torch():
    statement = "from splatsmith.cli import main\nassert main(['--help']) == 0"
    seconds, names = modules_after(statement)
    print(f"splatsmith --help: {seconds:.2f} s")
    assert "tyro" in names
    assert not names & (EXTRAS | {"torch", "av"})
