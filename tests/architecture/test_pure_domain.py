"""The domain computes: no clock, no randomness, no waiting, and money is never a float."""

from __future__ import annotations

import ast

from tests.support.source_tree import Module, modules

# `datetime.now` and its kin read a clock; uuid1 and uuid4 draw from one or from chance. uuid5 computes.
IMPURE_CALLS = {"now", "utcnow", "today", "uuid1", "uuid4", "open", "print", "input"}

# Modules of the domain that compute with amounts of money.
MONEY_MODULES = {
    "domain.adjudication",
    "domain.authority",
    "domain.coverage",
    "domain.money",
    "domain.payment",
    "domain.policy",
    "domain.reserve",
}


def where(module: Module, node: ast.expr | ast.stmt) -> str:
    return f"{module.path}:{node.lineno} {ast.unparse(node)[:60]}"


def test_the_domain_reads_no_clock_draws_no_chance_and_does_no_io() -> None:
    found = [
        where(module, node)
        for module in modules("domain")
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and called(node) in IMPURE_CALLS
    ]
    assert not found, f"pass it in as an argument, or the same event folds differently tomorrow: {found}"


def test_the_domain_never_waits() -> None:
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{module.path}:{getattr(node, 'lineno', 0)}"
        for module in modules("domain")
        for node in ast.walk(module.tree)
        if isinstance(node, waits)
    ]
    assert not found, f"what a rule needs is read before it is asked: {found}"


def test_no_amount_of_money_is_a_float() -> None:
    there = {module.name for module in modules("domain")}
    assert there >= MONEY_MODULES, "a module of money was renamed: name it here"
    found = [
        where(module, node)
        for module in modules("domain")
        if module.name in MONEY_MODULES
        for node in ast.walk(module.tree)
        if is_float(node) and isinstance(node, ast.expr)
    ]
    assert not found, f"0.1 + 0.2 is not 0.3: minor units are integers, shares are fractions of them: {found}"


def is_float(node: ast.AST) -> bool:
    """A float literal, the name `float`, or a division that makes one."""
    literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
    named = isinstance(node, ast.Name) and node.id == "float"
    divided = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
    return literal or named or divided


def called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""
