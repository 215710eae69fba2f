"""The project's own source as data, for the tests of the architecture: modules, imports, texts."""

from __future__ import annotations

import ast
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGES = ("domain", "runtime", "workers", "config")

# What is installed, built or cached: never part of the project, whatever git knows of it.
_NOT_OURS = {".git", ".venv", ".venv-bench", "__pycache__", "build", "dist", ".claimstream", ".hypothesis"}


class Import(msgspec.Struct, frozen=True):
    """One imported module, in full, and the line where it is; those for type checkers count too."""

    module: str
    line: int


class Module(msgspec.Struct, frozen=True):
    """One Python file: dotted name, path from the root, parsed text."""

    name: str
    path: str
    tree: ast.Module

    @property
    def imports(self) -> list[Import]:
        """All that it imports, anywhere in the file. `from a import b` gives a.b when that is a module."""
        found: list[Import] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.extend(Import(alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._absolute(node)
                targets = {_module_or_parent(base, alias.name) for alias in node.names}
                found.extend(Import(target, node.lineno) for target in targets)
        return found

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = self.name.split(".")
        if not self.path.endswith("__init__.py"):
            package = package[:-1]
        package = package[: len(package) - node.level + 1]
        return ".".join([*package, *([node.module] if node.module else [])])


def _module_or_parent(base: str, name: str) -> str:
    candidate = ROOT.joinpath(*base.split("."), name)
    return f"{base}.{name}" if candidate.with_suffix(".py").exists() or candidate.is_dir() else base


def is_in(module: str, *packages: str) -> bool:
    """Whether a dotted name is one of the packages or inside one."""
    return any(module == package or module.startswith(f"{package}.") for package in packages)


@functools.cache
def modules(*packages: str) -> tuple[Module, ...]:
    """Every module of the given top-level folders (all four when none is given), sorted by path."""
    return tuple(_parse(path) for package in packages or PACKAGES for path in sorted((ROOT / package).rglob("*.py")))


def _parse(path: Path) -> Module:
    relative = path.relative_to(ROOT)
    parts = relative.with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return Module(name, relative.as_posix(), ast.parse(path.read_text(encoding="utf-8"), str(path)))


def project_files() -> Iterator[Path]:
    """Every file of the project that is not installed, built or cached."""
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(
            name for name in subfolders if name not in _NOT_OURS and not name.endswith((".egg-info", "_cache"))
        )
        yield from (Path(folder, name) for name in sorted(names))


def text_files(*suffixes: str) -> Iterator[tuple[str, str]]:
    """Path from the root and text of the files with one of the suffixes; without any, of all in UTF-8."""
    for path in project_files():
        if suffixes and path.suffix not in suffixes:
            continue
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
