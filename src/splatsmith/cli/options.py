"""Options that several commands have, as the command line shows them."""

from pathlib import Path
from typing import Annotated

import tyro

MaybePath = Annotated[Path | None, tyro.conf.arg(metavar="PATH")]
Overrides = Annotated[
    list[str], tyro.conf.arg(name="set", metavar="KEY=VALUE"), tyro.conf.UseAppendAction
]
Plugins = Annotated[
    list[Path], tyro.conf.arg(name="plugin", metavar="FILE"), tyro.conf.UseAppendAction
]
