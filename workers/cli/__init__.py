"""The command line: a file for each group of commands, thin over the composition root and the store.

It owns no state. Nothing heavy is imported before a command runs: `claimstream version` answers at once.
"""

from __future__ import annotations

from workers.cli.app import app, main

__all__ = ["app", "main"]
