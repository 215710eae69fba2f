"""No float anywhere in the domain: not in a type, not as a literal, not by division."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

DOMAIN = Path(__file__).parents[2] / "domain"


def floats_in(source: str) -> list[str]:
    """What of a module is, or gives, a binary fraction; each with its line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(f"line {node.lineno}: the literal {node.value}")
        elif isinstance(node, ast.Name) and node.id == "float":
            found.append(f"line {node.lineno}: the type float")
        elif isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div):
            found.append(f"line {node.lineno}: a division that gives a float (use // or half_up)")
    return found


@pytest.mark.parametrize("path", sorted(DOMAIN.rglob("*.py")), ids=lambda path: str(path.relative_to(DOMAIN)))
def test_the_module_has_no_float(path: Path) -> None:
    assert floats_in(path.read_text()) == []


def test_a_float_would_be_seen() -> None:
    assert len(floats_in("a: float = 1.5\nb = 1 / 2\nb /= 2")) == 4
