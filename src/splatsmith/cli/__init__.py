"""The command line: one thin file per command, nothing heavy imported before it is needed."""

from splatsmith.cli.main import main

__all__ = ["main"]
