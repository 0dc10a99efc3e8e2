"""Where the explainer page is, and its numbers without a browser: its scripts under Node."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "explainer"
PAGE = FOLDER / "index.html"
DRAWING = ("controls", "draw", "plane-lab", "picture-lab", "page")  # these need a document

LOADER = """
const { files, expression, values } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const vm = require("vm");
for (const file of files) {
  vm.runInThisContext(require("fs").readFileSync(file, "utf8"), { filename: file });
}
Object.assign(globalThis, { values, explainer: globalThis.Explainer });
process.stdout.write(JSON.stringify(vm.runInThisContext(expression)));
"""


def scripts() -> list[str]:
    """The scripts of the page, in the order in which it loads them."""
    return re.findall(r'<script defer src="([^"]+)">', PAGE.read_text(encoding="utf-8"))


def calculate(expression: str, **values: Any) -> Any:
    """The value of a JavaScript expression that sees `explainer` and `values`.

    Typed arrays must be spread into lists. Skips the test where there is no Node.
    """
    program = shutil.which("node")
    if program is None:
        pytest.skip("NOT CHECKED: the explainer's JavaScript against Python needs Node (node).")
    files = [str(FOLDER / name) for name in scripts() if Path(name).stem not in DRAWING]
    asked = json.dumps({"files": files, "expression": expression, "values": values})
    done = subprocess.run(
        [program, "-e", LOADER], input=asked, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
