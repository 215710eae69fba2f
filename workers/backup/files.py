"""The files of a backup: entries as length-framed MessagePack, and a manifest with a checksum of each.

manifest.json   what is in it: moment, logs, files with size, records and SHA-256; written last, so that a directory
                without it is no backup
cut.msgpack     what was read in one atomic step
log-NAME-P.bin  entries of partition P: 4 bytes of length (big endian), then [id, [field, value, ...]]
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, BinaryIO

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runtime.entry import RawEntry

FORMAT = 1
MANIFEST = "manifest.json"
CUT = "cut.msgpack"
PAGE = 500


class BackupDamaged(Exception):
    """The directory is no whole backup; the text says which file, and what is wrong with it."""


class FileRecord(msgspec.Struct, frozen=True):
    """One file: bytes, records in it, SHA-256."""

    size: int
    records: int
    sha256: str


class LogRecord(msgspec.Struct, frozen=True):
    """One log: how it was cut, and per partition the entries and the id of the last one ('' when empty)."""

    partitions: int
    tagged: bool
    entries: list[int]
    last: list[str]


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. `made`: ISO 8601, UTC, by the clock of the host; `cut_ms`: by the store's."""

    format: int
    made: str
    version: str
    cut_ms: int
    logs: dict[str, LogRecord]
    files: dict[str, FileRecord]


class Kept(msgspec.Struct, frozen=True):
    """A key that is kept as it is: `kind` is hash, zset, string, stream or list; the value in the store's own shape."""

    key: str
    kind: str
    value: Any


class Standing(msgspec.Struct, frozen=True):
    """One group of one partition: its record, and its dead letters with what they hold back."""

    position: str
    settled: int
    keys: list[Kept]


class PartitionCut(msgspec.Struct, frozen=True):
    """One partition of one log at the moment of the cut. `length`: entries that the store had of it."""

    incarnation: str
    retired: dict[str, str]
    last: str
    length: int
    groups: dict[str, Standing]
    keys: list[Kept]


Cut = dict[str, list[PartitionCut]]

encode_cut = msgspec.msgpack.Encoder().encode
decode_cut = msgspec.msgpack.Decoder(Cut).decode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[bytes, list[bytes]]).decode


def log_file(name: str, partition: int) -> str:
    """The file of one partition of a log."""
    return f"log-{name.replace(':', '-')}-{partition}.bin"


class Writer:
    """Writes one file and its checksum."""

    def __init__(self, path: Path) -> None:
        """Mode 0600: entries are sealed where they are personal, and still nobody's business."""
        self._file: BinaryIO = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._sum = hashlib.sha256()
        self._size = 0
        self._records = 0

    def rows(self, rows: Sequence[RawEntry]) -> None:
        """Entries, in the order of the log."""
        for entry_id, fields in rows:
            body = _encode((entry_id, list(fields)))
            self._put(len(body).to_bytes(4, "big") + body)
        self._records += len(rows)

    def whole(self, content: bytes) -> None:
        """A file of one record."""
        self._put(content)
        self._records = 1

    def close(self) -> FileRecord:
        """To the disk; what is in it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return FileRecord(self._size, self._records, self._sum.hexdigest())

    def _put(self, content: bytes) -> None:
        self._file.write(content)
        self._sum.update(content)
        self._size += len(content)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last step: now it is a backup."""
    writer = Writer(folder / f".{MANIFEST}")
    writer.whole(msgspec.json.format(msgspec.json.encode(manifest), indent=2))
    writer.close()
    (folder / f".{MANIFEST}").replace(folder / MANIFEST)
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read_manifest(folder: Path) -> Manifest:
    """What the backup holds. Raises `BackupDamaged`."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except OSError as problem:
        raise BackupDamaged(f"{folder / MANIFEST}: {problem.strerror}: no backup, or one that did not end") from None
    except msgspec.DecodeError as problem:
        raise BackupDamaged(f"{folder / MANIFEST}: {problem}") from None
    if found.format != FORMAT:
        raise BackupDamaged(f"{folder / MANIFEST}: format {found.format}, this program reads {FORMAT}")
    return found


def check_files(folder: Path, manifest: Manifest) -> None:
    """Every file as it was written. Raises `BackupDamaged`."""
    for name, record in manifest.files.items():
        path = folder / name
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as problem:
            raise BackupDamaged(f"{path}: {problem.strerror}") from None
        if found != record.sha256:
            raise BackupDamaged(f"{path}: not what was written (SHA-256 {found[:12]}..., was {record.sha256[:12]}...)")


def read_rows(path: Path) -> Iterator[list[RawEntry]]:
    """The entries of a file, a page at a time. Raises `BackupDamaged`."""
    page: list[RawEntry] = []
    with path.open("rb") as file:
        while head := file.read(4):
            size = int.from_bytes(head, "big")
            body = file.read(size)
            if len(head) < 4 or len(body) < size:
                raise BackupDamaged(f"{path}: it ends in the middle of an entry")
            page.append(_decode(body))
            if len(page) == PAGE:
                yield page
                page = []
    if page:
        yield page
