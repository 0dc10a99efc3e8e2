"""Khronos' glTF validator, if there is one.

npm install --prefix FOLDER gltf-validator
GLTF_VALIDATOR=FOLDER/node_modules/gltf-validator python -m pytest tests/export/meshing
"""

import json
import os
import shutil
import subprocess

import pytest

SCRIPT = """
const validator = require(process.argv[1]);
const bytes = new Uint8Array(require('fs').readFileSync(process.argv[2]));
validator.validateBytes(bytes).then((report) => console.log(JSON.stringify(report.issues)));
"""


def tools():
    """Paths of node and of the validator's package, or None if either is missing."""
    package, node = os.environ.get("GLTF_VALIDATOR"), shutil.which("node")
    return (node, os.path.abspath(package)) if package and node else None


def complaints(path):
    """What the validator says about a file, hints included; skips where it is not there."""
    there = tools()
    if there is None:
        pytest.skip(
            "Khronos' validator did NOT look at this: set GLTF_VALIDATOR (see khronos.py)"
        )
    node, package = there
    done = subprocess.run(
        [node, "-e", SCRIPT, package, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)["messages"]
