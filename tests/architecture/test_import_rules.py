"""Who may import whom. Each rule has its reason, and the failure says it."""

from __future__ import annotations

import re
import sys
import tomllib

import pytest

from tests.support.source_tree import PACKAGES, ROOT, Module, is_in, modules

# Import names of the distributions in pyproject.toml, where the two differ.
IMPORT_NAMES = {"prometheus-client": "prometheus_client"}

NOT_PURE = (
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib.request",
)

# (who, what it never imports, why)
FORBIDDEN = [
    ("domain", ("runtime", "workers", "config"), "the rules know nothing of the engine that runs them"),
    ("domain", NOT_PURE, "the domain is pure: time, ids and randomness are arguments, there is no I/O"),
    ("runtime", ("domain", "workers", "config"), "the engine runs anything; it has no word of insurance"),
    ("config", ("domain", "workers"), "config only fills the options that components own"),
    (
        "runtime.supervision",
        ("redis", "aiohttp", "runtime.store", "runtime.serving", "runtime.cluster", "runtime.embedded"),
        "it supervises anything, whether or not there is a store",
    ),
    (
        "runtime.store",
        ("runtime.supervision", "runtime.serving"),
        "the store's functions are usable, and tested, without a runner or a supervisor",
    ),
    (
        "runtime.cluster",
        ("runtime.supervision", "runtime.serving"),
        "leases say who serves; they do not serve",
    ),
    (
        "runtime.serving",
        ("redis",),
        "a runner sees protocols: its steps are testable by prefix, without a store",
    ),
    (
        "runtime.embedded",
        ("redis", "runtime.store", "runtime.serving", "runtime.supervision", "runtime.cluster"),
        "the server that comes along is started before there is anything to talk to",
    ),
]

ROOMS = ("runtime.supervision", "runtime.store", "runtime.serving", "runtime.cluster")
JOINERS = (
    "runtime", "runtime.host", "runtime.host_options", "runtime.exporter", "runtime.floor", "runtime.plan",
    "runtime.sampler", "runtime.fleet", "runtime.testing", "runtime.archive",
)  # fmt: skip

FILLS_THE_OPTIONS = ("config", "workers.bootstrap", "workers.cli")


def breaches(module: Module, forbidden: tuple[str, ...]) -> list[str]:
    return [
        f"{module.path}:{imported.line} imports {imported.module}"
        for imported in module.imports
        if is_in(imported.module, *forbidden)
    ]


def short(value: object) -> str:
    """The id of a case: who, the first that it never imports."""
    return value if isinstance(value, str) and " " not in value else value[0] if isinstance(value, tuple) else "-"


@pytest.mark.parametrize(("who", "forbidden", "why"), FORBIDDEN, ids=short)
def test_no_module_imports_what_its_place_forbids(who: str, forbidden: tuple[str, ...], why: str) -> None:
    found = [line for module in modules() if is_in(module.name, who) for line in breaches(module, forbidden)]
    assert not found, f"{why}: {found}"


def test_the_domain_imports_the_standard_library_and_msgspec_only() -> None:
    allowed = (*sys.stdlib_module_names, "msgspec", "domain")
    found = _imports_beyond("domain", allowed)
    assert not found, f"a rule that needs a package is not a rule of insurance: {found}"


def test_every_imported_package_is_a_declared_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^\w-]", dependency)[0] for dependency in project["dependencies"]]
    allowed = (*sys.stdlib_module_names, *PACKAGES, *(IMPORT_NAMES.get(name, name) for name in names))
    found = [line for package in PACKAGES for line in _imports_beyond(package, allowed)]
    assert not found, f"it would be missing after an install from requirements.lock: {found}"


def test_only_the_host_and_the_fleet_join_the_rooms_of_the_runtime() -> None:
    found = [
        line
        for module in modules("runtime")
        if not is_in(module.name, *ROOMS, *JOINERS[1:], "runtime.telemetry") and module.name != "runtime"
        for line in breaches(module, ROOMS)
    ]
    assert not found, f"the flat modules are what the rooms share, so they know none of them: {found}"


def test_only_the_composition_root_and_the_command_line_import_config() -> None:
    found = [
        line
        for module in modules()
        if not is_in(module.name, *FILLS_THE_OPTIONS)
        for line in breaches(module, ("config",))
    ]
    assert not found, f"a component is handed its own options and sees no others: {found}"


def test_the_composition_root_is_imported_by_the_command_line_only() -> None:
    found = [
        line
        for module in modules()
        if not is_in(module.name, "workers.cli", "workers.__main__", "workers.bootstrap")
        for line in breaches(module, ("workers.bootstrap",))
    ]
    assert not found, f"what is imported by its parts cannot be replaced part by part: {found}"


def test_nothing_outside_the_tests_imports_the_tests_or_what_is_made_for_them() -> None:
    found = [
        line
        for module in modules()
        if not is_in(module.name, "runtime.testing")
        for line in breaches(module, ("tests", "runtime.testing", "pytest", "hypothesis"))
    ]
    assert not found, f"production code that needs test code cannot be installed alone: {found}"


def _imports_beyond(package: str, allowed: tuple[str, ...]) -> list[str]:
    return [
        f"{module.path}:{imported.line} imports {imported.module}"
        for module in modules(package)
        for imported in module.imports
        if not is_in(imported.module, *allowed)
    ]
