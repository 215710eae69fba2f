"""What the documents name in code style: commands, options, metrics, keys, files and symbols."""

from __future__ import annotations

import functools
import re
import shlex
from typing import TYPE_CHECKING

import msgspec

from tests.support.source_tree import ROOT, text_files

if TYPE_CHECKING:
    from collections.abc import Iterator

# They speak of what others have made: commands and keys of other systems, columns of a table.
_QUOTES_OTHERS = ("docs/seed-rows.md", "workers/samples/")

_FENCE = re.compile(r"^(?P<fence>```+|~~~+)[ \t]*(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=fence)[ \t]*$", re.M | re.S)
_INDENTED = re.compile(r"(?:^|\n\n)((?: {4}[^\n]*(?:\n|$))+)")
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_SETTING = re.compile(r"[A-Z_][A-Z0-9_]*=\S*")


class Mention(msgspec.Struct, frozen=True):
    """Something in code style: the document, and the text."""

    path: str
    text: str


class Document(msgspec.Struct, frozen=True):
    """One Markdown file."""

    path: str
    text: str

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """(language, body) of each code block, fenced or indented by four."""
        fenced = [(match["language"], match["body"]) for match in _FENCE.finditer(self.text)]
        rest = _FENCE.sub("\n", self.text)
        return fenced + [("", re.sub(r"^ {4}", "", body, flags=re.M)) for body in _INDENTED.findall(rest)]

    @property
    def spans(self) -> list[Mention]:
        """Everything between backticks, outside the blocks."""
        return [Mention(self.path, text) for text in _SPAN.findall(_FENCE.sub("\n", self.text))]

    @property
    def command_lines(self) -> list[Mention]:
        """The lines of blocks, and the spans, that call claimstream or make."""
        lines = [line for _, body in self.blocks for line in body.splitlines()]
        spans = [span.text for span in self.spans]
        return [Mention(self.path, line) for line in map(without_prompt, [*lines, *spans]) if is_command(line)]


def without_prompt(line: str) -> str:
    """The command of a line in a transcript: no prompt, no remark at its end."""
    return re.sub(r"\s+#\s.*$", "", line.strip().removeprefix("$ ")).strip()


def command_words(line: str) -> list[str]:
    """The words of a command line, without settings before it (`REDIS_URL=...`) and what follows a pipe."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    while words and _SETTING.fullmatch(words[0]):
        words.pop(0)
    ends = [index for index, word in enumerate(words) if word in {"|", ">", "&", "&&", ";"}]
    return words[: ends[0]] if ends else words


def is_command(line: str) -> bool:
    """Whether a line calls claimstream or make. `claimstream` alone is the name of the project."""
    words = command_words(line)
    return len(words) > 1 and words[0] in {"claimstream", "make"}


@functools.cache
def documents() -> tuple[Document, ...]:
    """Every Markdown file of the project that speaks of the project."""
    return tuple(Document(path, text) for path, text in text_files(".md") if not path.startswith(_QUOTES_OTHERS))


def targets() -> set[str]:
    """The targets of the Makefile."""
    return set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))


@functools.cache
def known_words() -> frozenset[str]:
    """Every word of the source, of the tests and of what builds and deploys them."""
    return frozenset(word for text in _source_texts() for word in re.findall(r"[A-Za-z_][\w-]*", text))


@functools.cache
def known_literals() -> str:
    """All of the source in one text, to look for what is not a word: paths of an endpoint, parts of keys."""
    return "\n".join(_source_texts())


def _source_texts() -> Iterator[str]:
    for path, text in text_files():
        if not path.endswith((".md", ".lock", ".csv")) and not path.startswith(("tests/seeds/rows.toml", "LICENSE")):
            yield text
