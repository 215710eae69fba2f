"""The documents name only what exists: commands, options, files, metrics, keys, symbols. Examples are run."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.documents import (
    Document,
    Mention,
    command_words,
    documents,
    is_command,
    known_literals,
    known_words,
    targets,
    without_prompt,
)
from tests.support.source_tree import ROOT, project_files

if TYPE_CHECKING:
    from collections.abc import Callable

# Programs of others that a document may call.
FOREIGN_PROGRAMS = {
    "bash",
    "cd",
    "curl",
    "docker",
    "git",
    "jq",
    "kill",
    "kubectl",
    "pip",
    "python",
    "python3",
    "redis-cli",
    "redis-server",
    "uv",
    "valkey-cli",
    "valkey-server",
}

# Names of others that a document may use: commands, settings and ideas of the store and of Python.
FOREIGN_NAMES = {"XAUTOCLAIM", "XCLAIM", "XREADGROUP", "XPENDING", "XINFO", "WAIT", "SIGKILL"}

COMMANDS_FILE = Path(__file__).with_name("readme_commands.toml")


def command_line() -> Any:
    """The root of the command line, as click sees it."""
    typer_main = importlib.import_module("typer.main")
    return typer_main.get_command(importlib.import_module("workers.cli").app)


def unknown_in_command(words: list[str]) -> str:
    """What a command line names that does not exist, or an empty text."""
    if words[0] == "make":
        wanted = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
        return next((f"target {word}" for word in wanted if word not in targets()), "")
    node = command_line()
    known = option_names(node)
    for word in words[1:]:
        if word.startswith("--"):
            if word.partition("=")[0] not in known | {"--help"}:
                return f"option {word}"
        elif hasattr(node, "commands"):
            if word not in node.commands:
                return f"command {word}"
            node = node.commands[word]
            known |= option_names(node)
    return ""


def option_names(node: Any) -> set[str]:
    return {name for param in node.params for name in (*param.opts, *param.secondary_opts)}


def all_options(node: Any) -> set[str]:
    below = (all_options(child) for child in getattr(node, "commands", {}).values())
    return option_names(node).union(*below)


def is_known_option(text: str, config: pytest.Config) -> bool:
    name = text.partition("=")[0].partition(" ")[0]
    ours = importlib.util.find_spec("workers.cli") is not None and name in all_options(command_line())
    return ours or f'"{name}"' in known_literals() or name in config.invocation_params.args


def is_known_metric(text: str) -> bool:
    table = importlib.import_module("runtime.telemetry.metric_table").METRICS
    name = text.partition("{")[0]
    names = {spec.name for spec in table}
    return any(
        name in {known, f"{known}_total", f"{known}_bucket", f"{known}_count", f"{known}_sum"} for known in names
    )


def is_known_path(text: str) -> bool:
    """A path from the root, or the bare name of a file anywhere in the project."""
    pattern = re.sub(r"\{[^}]*\}|<[^>]*>", "*", text.rstrip("/").removeprefix("./"))
    return any(ROOT.glob(pattern)) or any(path.name == text for path in project_files())


def is_known_test(text: str) -> bool:
    """A test by its id (`runtime/test_host.py::test_...`), from the root or from the folder of the tests."""
    path, _, name = text.partition("::")
    files = [file for file in (ROOT / path, ROOT / "tests" / path) if file.is_file()]
    return bool(files) and f"def {name.partition('[')[0]}(" in files[0].read_text(encoding="utf-8")


def is_known_key(text: str) -> bool:
    """Every fixed part of a key (`analytics:daily:{date}`) stands in the source."""
    parts = [part for part in re.sub(r"\{[^}]*\}|<[^>]*>|\*", "", text).split(":") if part]
    return all(part in known_words() for part in parts)


def are_known_words(text: str) -> bool:
    words = re.findall(r"[A-Za-z_][\w-]*", text)
    return all(len(word) < 3 or word in known_words() or word in FOREIGN_NAMES for word in words)


def is_known(text: str, config: pytest.Config) -> bool:
    """Whether what stands between backticks exists; the shape of the text says what it has to be."""
    if is_command(text):
        return True  # looked at with the other command lines
    if text.split()[0] in FOREIGN_PROGRAMS:
        return True
    shapes: list[tuple[str, Callable[[str], bool]]] = [
        (r"--[a-z].*", lambda option: is_known_option(option, config)),
        (r"claimstream_\w+(\{.*\})?", is_known_metric),
        (r"/[\w/.{}<>-]*", lambda path: path in known_literals()),
        (r"[\w./-]+\.py::\w+(\[[^\]]*\])?", is_known_test),
        (r"\.?[\w.{}*<>-]+/[\w./{}*<>-]*|[\w.-]+\.(py|toml|md|lua|lock|csv|yaml|yml)", is_known_path),
        (r"[\w{}*<>-]+(:[\w{}*<>-]+)+", is_known_key),
    ]
    for shape, known in shapes:
        if re.fullmatch(shape, text):
            return known(text)
    return are_known_words(text)


def test_every_command_in_the_documents_exists() -> None:
    found = [
        f"{mention.path}: `{mention.text}`: no {unknown}"
        for document in documents()
        for mention in document.command_lines
        if (unknown := unknown_in_command(command_words(mention.text)))
    ]
    assert not found


def test_everything_that_the_documents_name_exists(pytestconfig: pytest.Config) -> None:
    found = [
        f"{span.path}: `{span.text}`"
        for document in documents()
        for span in document.spans
        if not is_known(span.text, pytestconfig)
    ]
    assert not found, f"named, but not in the source: {found}"


def test_every_link_in_the_documents_leads_to_a_file() -> None:
    found = [
        f"{document.path}: {target}"
        for document in documents()
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.text)
        if not (ROOT / document.path).parent.joinpath(target).exists()
    ]
    assert not found


def python_examples() -> list[tuple[str, str]]:
    return [(doc.path, body) for doc in documents() for language, body in doc.blocks if language == "python"]


def test_every_python_example_runs() -> None:
    for path, code in python_examples():
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{path}:\n{code}\n{done.stderr}"


def readme_commands() -> set[str]:
    (readme,) = (document for document in documents() if document.path == "README.md")
    return {mention.text for mention in readme.command_lines}


def shown_by() -> dict[str, str]:
    table: dict[str, str] = tomllib.loads(COMMANDS_FILE.read_text(encoding="utf-8"))["shown_by"]
    return table


def test_every_command_in_the_readme_is_run_by_a_test() -> None:
    assert readme_commands() == set(shown_by()), f"name in {COMMANDS_FILE.name} what runs each command"


def test_what_runs_the_commands_of_the_readme_is_there() -> None:
    for command, place in shown_by().items():
        path, _, name = place.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8")
        if name:
            functions = {getattr(node, "name", "") for node in ast.walk(ast.parse(text))}
            assert name in functions, f"{place} does not exist, so nothing runs `{command}`"
        else:
            assert command in {without_prompt(line) for line in text.splitlines()}, f"{path} does not run `{command}`"


@pytest.mark.parametrize(
    "text",
    [
        "claimstream_no_such_metric",
        "runtime/no_such_file.py",
        "NoSuchSymbol" + "Anywhere",
        "/no-such" + "-endpoint",
        "no_such" + "_key:{date}",
        "runtime/test_host.py::test_no" + "_such_promise",
        "--no-such" + "-option",
    ],
)
def test_what_does_not_exist_is_seen(text: str, pytestconfig: pytest.Config) -> None:
    assert not is_known(text, pytestconfig)


def test_a_command_that_does_not_exist_is_seen() -> None:
    page = Document("x.md", "```console\n$ REDIS_URL=x make no-such-target  # remark\n```\n")
    (mention,) = page.command_lines
    assert mention == Mention("x.md", "REDIS_URL=x make no-such-target")
    assert unknown_in_command(command_words(mention.text)) == "target no-such-target"
