"""Makes values fit for a log line: no secret, no password in a URL, no line break, bounded size. Pure.

A log line is read by people and parsed by machines: text that came from outside must not be able to fake a
second line (CR, LF and other control characters are escaped), nor to fill the disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

REDACTED = "[redacted]"
#: Characters of one value; an error text that is longer is cut. A line stays below a terminal's patience.
MAX_TEXT = 500
#: Members of one list or mapping that are shown.
MAX_MEMBERS = 20
#: Nested lists and mappings that are shown.
MAX_DEPTH = 4

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)?$|passw|secret|token|credential|authorization|cookie"
    r"|api[-_]?key|private[-_]?key|_pwd|^pwd$",
    re.IGNORECASE,
)
#: scheme://user:password@host: greedy to the last @, a password may contain one.
_URL_PASSWORD = re.compile(r"(?P<head>[a-z][a-z0-9+.\-]{0,20}://[^\s:/@]*):\S*@", re.IGNORECASE)
_ASSIGNED_SECRET = re.compile(
    r"(?P<key>\b[\w\-]*(?:password|passwd|passphrase|secret|token|api[-_]?key|credential)s?\b"
    r"[\"']?\s*[=:]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|[^\s,;&]+)",
    re.IGNORECASE,
)
_BEARER = re.compile(r"\b(?P<kind>bearer|basic)\s+[A-Za-z0-9._~+/=\-]{8,}", re.IGNORECASE)
#: C0, DEL, C1, and the two separators of Unicode that some viewers show as a line break, and bidi overrides.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def is_secret(key: str) -> bool:
    """Whether a field of this name is never shown."""
    return _SECRET_KEY.search(key) is not None


def clean_text(text: str) -> str:
    """`text` on one line, without secrets, cut to `MAX_TEXT` characters."""
    if len(text) > 4 * MAX_TEXT:
        text = text[: 4 * MAX_TEXT]  # before the patterns: their cost is bounded too
    text = _URL_PASSWORD.sub(rf"\g<head>:{REDACTED}@", text)
    text = _BEARER.sub(rf"\g<kind> {REDACTED}", text)
    text = _ASSIGNED_SECRET.sub(rf"\g<key>{REDACTED}", text)
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + "..."
    return _CONTROL.sub(_escaped, text)


def clean(key: str, value: object, depth: int = 0) -> object:
    """`value` of the field `key` as it may be written: numbers as they are, the rest as clean text."""
    if is_secret(key):
        return REDACTED
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"<{len(value)} bytes>"
    if depth >= MAX_DEPTH:
        return "..."
    if isinstance(value, Mapping):
        members = list(value.items())[:MAX_MEMBERS]
        return {clean_text(str(name)): clean(str(name), member, depth + 1) for name, member in members}
    if isinstance(value, (list, tuple, Set)):
        return [clean(key, member, depth + 1) for member in list(value)[:MAX_MEMBERS]]
    return clean_text(str(value))


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT.get(character) or f"\\u{ord(character):04x}"
