"""Settings from their layers, each above the one before:

1. the profile (`config/profiles/<name>.toml`; --profile or CLAIMSTREAM_PROFILE, else local)
2. a file of the operator, in the same form (CLAIMSTREAM_CONFIG)
3. REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, as the seed documents set them
4. CLAIMSTREAM_<SECTION>__<KEY>, two underscores for each level: CLAIMSTREAM_STORE__PORT=6390
5. secret files: `<key>_file` beside any secret key, in a file or the environment, names a file with its value
6. REDIS_URL
7. what the command line says

An address from any layer but the profile makes the store external. Empty variables count as not set.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path as FilePath
from typing import Any, Final

import msgspec

from config.fields import Path, SettingsError, convert, is_secret, known_fields, known_sections, unknown
from config.settings import Settings
from runtime.store.credentials import SecretFile

PREFIX: Final = "CLAIMSTREAM_"
#: Variables of ours that are no settings: which profile, which file, the master key of the vault (the vault
#: reads it, so that no settings tree carries it), and what the test suite and the fleet
#: use.
_NOT_SETTINGS: Final = re.compile(r"CLAIMSTREAM_(PROFILE|CONFIG|MASTER_KEY|TEST_\w+|PARENT_\w+|WORKER\w*)")
#: What Kubernetes sets in every pod beside a Service called `claimstream-...` or `redis`: no settings of
#: ours.
_SERVICE_LINK: Final = re.compile(r"\w+_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
#: How msgspec says where a rule was broken.
_PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`")
_LINKED_PORT: Final = re.compile(r"(tcp|udp)://")
_ADDRESS: Final = (("store", "url"), ("store", "host"), ("store", "port"))


class _Layers:
    """The values so far, each with where it came from; a later layer replaces an earlier one."""

    def __init__(self) -> None:
        self.values: dict[Path, Any] = {}
        self._secret_files: dict[Path, tuple[str, str]] = {}

    def put(self, path: Path, value: Any, origin: str, *, from_text: bool) -> None:
        """Set one key; the key of a secret file is remembered for later."""
        if path in known_fields():
            self.values[path] = convert(path, value, origin, from_text=from_text)
            return
        secret = (*path[:-1], path[-1].removesuffix("_file")) if path else ()
        if secret != path and secret in known_fields() and is_secret(secret):
            self._secret_files[secret] = (str(value), origin)
            return
        if path in known_sections():
            shown = f"{value!r} ({origin})"
            raise SettingsError(f"{'.'.join(path)} is {shown}: expected a table, it has keys of its own")
        raise unknown(path, origin)

    def put_table(self, table: Mapping[str, Any], origin: str, path: Path = ()) -> None:
        """Set what a TOML table holds."""
        for key, value in table.items():
            inner = (*path, key)
            if isinstance(value, Mapping) and inner in known_sections():
                self.put_table(value, origin, inner)
            else:
                self.put(inner, value, origin, from_text=False)

    def read_secret_files(self) -> None:
        """Replace each secret by its file, which is read at each use: without the line's end."""
        for path, (name, origin) in self._secret_files.items():
            try:
                self.values[path] = SecretFile(name)
            except (OSError, UnicodeDecodeError) as exc:
                reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
                raise SettingsError(
                    f"{'.'.join(path)}_file is {name!r} ({origin}): the file cannot be read: {reason}"
                ) from None

    def external(self) -> None:
        """Note that the store is one that runs already."""
        self.values["store", "mode"] = "external"


def load(
    profile: str | None = None,
    *,
    environment: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> Settings:
    """Put the layers together. `overrides` come from the command line, by dotted key. Raises
    `SettingsError`.
    """
    name = profile or environment.get("CLAIMSTREAM_PROFILE") or "local"
    layers = _Layers()
    layers.put_table(_profile(name), f"profile {name}")
    if path := environment.get("CLAIMSTREAM_CONFIG"):
        _put_file(layers, path)
    _put_redis_parts(layers, environment)
    _put_environment(layers, environment)
    layers.read_secret_files()
    if url := environment.get("REDIS_URL"):
        layers.put(("store", "url"), url, "environment variable REDIS_URL", from_text=True)
        layers.external()
    for key, value in (overrides or {}).items():
        dotted = tuple(key.split("."))
        layers.put(dotted, value, "command line", from_text=isinstance(value, str))
        if dotted in _ADDRESS:
            layers.external()
    layers.values["profile",] = name  # whatever a file says: the rules of a profile hold for who asked for it
    return _settings(layers)


def profiles() -> list[str]:
    """List the profiles that come along."""
    folder = files("config") / "profiles"
    return sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))


def _profile(name: str) -> dict[str, Any]:
    if name not in profiles():
        close = difflib.get_close_matches(name, profiles(), n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(profiles())}"
        raise SettingsError(f"unknown profile {name!r}: {hint}")
    return tomllib.loads((files("config") / "profiles" / f"{name}.toml").read_text(encoding="utf-8"))


def _put_file(layers: _Layers, path: str) -> None:
    """Lay the operator's file over the profile."""
    try:
        table = tomllib.loads(FilePath(path).read_text(encoding="utf-8"))
    except OSError as exc:
        raise SettingsError(f"CLAIMSTREAM_CONFIG is {path!r}: the file cannot be read: {exc.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise SettingsError(f"CLAIMSTREAM_CONFIG is {path!r}: it is no valid TOML: {exc}") from None
    layers.put_table(table, f"file {path}")
    if any(key in table.get("store", {}) for _, key in _ADDRESS) and "mode" not in table["store"]:
        layers.external()


def _put_redis_parts(layers: _Layers, environment: Mapping[str, str]) -> None:
    """Obey the three variables of the seed documents; one is enough to mean a store that runs already."""
    given = {
        key: environment[variable]
        for key, variable in (("host", "REDIS_HOST"), ("port", "REDIS_PORT"), ("password", "REDIS_PASSWORD"))
        if environment.get(variable) and not _LINKED_PORT.match(environment[variable])
    }
    for key, text in given.items():
        origin = f"environment variable REDIS_{key.upper()}"
        layers.put(("store", key), text, origin, from_text=True)
    if given:
        layers.values["store", "url"] = None  # an address of their own, not a part of another
        layers.external()


def _put_environment(layers: _Layers, environment: Mapping[str, str]) -> None:
    """Obey CLAIMSTREAM_<SECTION>__<KEY>."""
    addressed = moded = False
    for variable, text in sorted(environment.items()):
        if not variable.startswith(PREFIX) or not text or _NOT_SETTINGS.fullmatch(variable):
            continue
        path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
        if "__" not in variable and _SERVICE_LINK.fullmatch(variable):
            continue
        layers.put(path, text, f"environment variable {variable}", from_text=True)
        addressed |= path in (*_ADDRESS, ("store", "url_file"))
        moded |= path == ("store", "mode")
    if addressed and not moded:
        layers.external()


def _settings(layers: _Layers) -> Settings:
    """Build the tree; the rules of each component and those between them speak here."""
    tree: dict[str, Any] = {}
    for path, value in layers.values.items():
        node = tree
        for key in path[:-1]:
            node = node.setdefault(key, {})
        node[path[-1]] = value
    try:
        settings = msgspec.convert(tree, Settings, dec_hook=lambda _kind, value: value)
        if settings.store.mode == "external":
            settings.store.address()
    except ValueError as exc:  # of msgspec, of a rule, of the address: each says what was wrong
        raise SettingsError(_PLACE.sub(r" (in \1)", str(exc))) from None
    return settings
