"""What the global options said, and the settings that follow. They may stand before or after the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    import typer

    from config.settings import Settings

GLOBAL_OPTIONS = {
    "--redis-url": True,
    "--data-dir": True,
    "--profile": True,
    "--json": False,
    "--quiet": False,
}
"""Each global option, and whether a value follows."""


@dataclass(frozen=True)
class Given:
    """The global options as they were given; None: not given."""

    redis_url: str | None = None
    data_dir: str | None = None
    profile: str | None = None
    json: bool = False
    quiet: bool = False

    def overrides(self) -> dict[str, Any]:
        """What the command line says above all other layers, by dotted key of the settings."""
        said: dict[str, Any] = {}
        if self.redis_url is not None:
            said["store.url"] = self.redis_url
        if self.data_dir is not None:
            said["embedded.data_dir"] = self.data_dir
        return said

    def settings(self, **more: Any) -> Settings:
        """The settings of this command. `more`: further values, dots written as two underscores.

        A data directory on the command line means the store in it, whatever the environment names.
        Raises `SettingsError`.
        """
        from config.loading import load

        said = self.overrides() | {key.replace("__", "."): value for key, value in more.items()}
        if self.data_dir is not None and self.redis_url is None:
            said["store.mode"] = "embedded"
        return load(self.profile, overrides=said)


def given_of(ctx: typer.Context) -> Given:
    """The global options of the command line that `ctx` belongs to."""
    return cast("Given", ctx.find_root().obj)


def hoisted(words: Sequence[str]) -> list[str]:
    """The same words with the global options first, up to a `--`; an option without its value stays last."""
    first: list[str] = []
    rest: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        name, equals, _ = word.partition("=")
        if word == "--":
            rest += [word, *left]
            break
        if name not in GLOBAL_OPTIONS:
            rest.append(word)
        elif GLOBAL_OPTIONS[name] and not equals:
            if not left:
                return [*first, word]  # the parser says what is missing
            first += [word, left.pop(0)]
        else:
            first.append(word)
    return first + rest
