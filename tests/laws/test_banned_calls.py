"""Nothing that runs code out of data, starts a shell, or draws from a global generator."""

import ast

import pytest
import source

MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
CALLS = {
    "eval": "runs data as code",
    "exec": "runs data as code",
    "compile": "makes code from data",
    "__import__": "imports by data",
    "torch.load": "unpickles",
    "torch.save": "pickles",
    "torch.jit.load": "runs data as code",
    "torch.hub.load": "runs downloaded code",
    "numpy.fromregex": "unpickles on demand",
    "pandas.read_pickle": "unpickles",
    "yaml.load": "builds objects from data",
    "yaml.unsafe_load": "builds objects from data",
    "yaml.full_load": "builds objects from data",
    "os.system": "starts a shell",
    "os.popen": "starts a shell",
    "subprocess.getoutput": "starts a shell",
    "subprocess.getstatusoutput": "starts a shell",
    "random.seed": "seeds a global generator",
    "numpy.random.seed": "seeds a global generator",
    "torch.manual_seed": "seeds a global generator",
    "torch.random.manual_seed": "seeds a global generator",
    "torch.seed": "seeds a global generator",
}
KEYWORDS = {"shell": "starts a shell", "allow_pickle": "unpickles"}
SEEDS = {name for name, why in CALLS.items() if why.startswith("seeds")}


def breaches(file: source.File) -> list[str]:
    """Banned imports and calls of a file."""
    found = [
        f"{file.path}:{line} imports {name}"
        for line, name in source.imports(file)
        if name.split(".")[0] in MODULES
    ]
    known, forked = source.aliases(file), _inside_fork_rng(file)
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Attribute | ast.Name):
            name = _full_name(node, known)
            if name in CALLS and not (name in SEEDS and node.lineno in forked):
                found.append(f"{file.path}:{node.lineno} uses {name}, which {CALLS[name]}")
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
                if keyword.arg in KEYWORDS and not off:
                    why = KEYWORDS[keyword.arg]
                    found.append(f"{file.path}:{node.lineno} passes {keyword.arg}, which {why}")
    return found


def _full_name(node: ast.expr, known: dict[str, str]) -> str | None:
    name = source.dotted(node)
    if name is None:
        return None
    first, _, rest = name.partition(".")
    first = known.get(first, first)
    return (f"{first}.{rest}" if rest else first).removeprefix("builtins.")


def _inside_fork_rng(file: source.File) -> set[int]:
    """Lines within `with torch.random.fork_rng(...)`, which restores the global generator."""
    lines: set[int] = set()
    for node in ast.walk(file.tree):
        if isinstance(node, ast.With) and any(
            isinstance(item.context_expr, ast.Call)
            and (source.dotted(item.context_expr.func) or "").endswith("fork_rng")
            for item in node.items
        ):
            lines |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def test_no_file_does_what_is_banned():
    found = [breach for file in source.files() for breach in breaches(file)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "def f():\n    import marshal",
        "eval('1')",
        "exec('1')",
        "import builtins\nbuiltins.eval('1')",
        "import torch\ntorch.load('x')",
        "import torch as t\nt.load('x')",
        "from torch import load\nload('x')",
        "from torch import load as read\nread('x')",
        "import torch\nread = torch.load",
        "import torch\ntorch.save({}, 'x')",
        "import yaml\nyaml.load('x', Loader=yaml.Loader)",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.run('ls', shell=flag)",
        "import os\nos.system('ls')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "import numpy as np\nnp.random.seed(0)",
        "import torch\ntorch.manual_seed(0)",
    ],
)
def test_the_ban_notices(text):
    assert breaches(source.parse("scenes/x.py", text))


@pytest.mark.parametrize(
    "text",
    [
        "net.eval()",
        "self.load('x')",
        "import re\nre.compile('x')",
        "import tomllib\ntomllib.load(file)",
        "import subprocess\nsubprocess.run(['ls'], shell=False)",
        "import torch\ngen = torch.Generator().manual_seed(0)",
        "import torch\nwith torch.random.fork_rng(devices=[]):\n    torch.manual_seed(0)",
        "import numpy as np\nnp.load('x', allow_pickle=False)",
    ],
)
def test_the_ban_lets_pass(text):
    assert not breaches(source.parse("scenes/x.py", text))
