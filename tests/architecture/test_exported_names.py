"""A name without an underscore is a contract: what a package exports is there."""

from __future__ import annotations

import importlib

from tests.support.source_tree import modules


def test_every_exported_name_exists() -> None:
    missing = []
    for module in modules():
        if module.name.endswith("__main__"):
            continue
        loaded = importlib.import_module(module.name)
        missing += [f"{module.name}.{name}" for name in getattr(loaded, "__all__", ()) if not hasattr(loaded, name)]
    assert not missing


def test_every_package_opens_with_a_paragraph_about_itself() -> None:
    silent = [
        module.path
        for module in modules()
        if module.path.endswith("__init__.py") and not (importlib.import_module(module.name).__doc__ or "").strip()
    ]
    assert not silent, f"its purpose, who owns its state, what it must never do: {silent}"
