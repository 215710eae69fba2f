"""The channel that appends each message to a file, one JSON line each: the default without a provider.

A line says who must be told what, by opaque ids; the address and the text of the message are personal and are
not written. A batch is one write and one fsync. Several processes may use one file: a lock file beside it
orders them.

Idempotent by key as far as a file can be: a key that stands in the kept files, among the newest `remembered`,
is answered again with the same reference and not written twice. A line cut by a crash is removed: its
message was never answered. Whatever is wrong with the file or the disk is temporary; only a message that can
never be one line of text is refused for ever.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec

from workers.ports import Delivered, OutboundMessage, Outcome, PermanentFailure, TemporaryFailure

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from workers.ports import Clock


_LOCK_PAUSE = 0.01


class LogFileOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where the lines go and how much of them is kept."""

    path: Path
    """The file; its directory exists. Rotated files are `path.1` (newest) to `path.N`."""
    rotate_bytes: int = 16 * 1024 * 1024
    """Size in bytes from which a new file is begun."""
    kept_files: int = 5
    """Rotated files that are kept; 0 keeps none."""
    longest_line: int = 64 * 1024
    """Bytes of one line; a longer one is refused for ever."""
    remembered: int = 50_000
    """Keys held in memory against repetition, at about 120 bytes each."""
    lock_wait: float = 5.0
    """Seconds to wait for another process that writes; then the failure is temporary."""
    retry_after: float = 5.0
    """Seconds until a try after a temporary failure makes sense."""


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    at: str
    key: str
    provider_ref: str
    event_id: str
    claim_id: str
    recipient: str
    template: str
    lane: str
    language: str
    created_at: str
    params: dict[str, str] = {}


class _Key(msgspec.Struct):
    key: str


class LogFileChannel:
    """Implements `workers.ports.Channel`. Opens its file at the first batch, not before."""

    name = "log_file"

    def __init__(self, options: LogFileOptions, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(_Key)
        self._file: int | None = None
        self._read_to = 0
        self._known: OrderedDict[bytes, None] = OrderedDict()

    async def deliver(self, messages: Sequence[OutboundMessage]) -> Sequence[Outcome]:
        """Append what is new; one outcome per message, in order. Once begun, a batch is not cancelled."""
        if not messages:
            return []
        return await anyio.to_thread.run_sync(self._deliver, tuple(messages))

    async def aclose(self) -> None:
        """Close the file. Legal twice."""
        await anyio.to_thread.run_sync(self._close)

    def __repr__(self) -> str:
        return f"LogFileChannel({str(self._options.path)!r})"

    def _deliver(self, messages: Sequence[OutboundMessage]) -> list[Outcome]:
        with self._lock:
            try:
                with self._alone():
                    self._catch_up()
                    outcomes, new = self._sorted_out(messages)
                    self._append(new)
                    self._rotate_if_due()
                    return outcomes
            except OSError as error:
                self._forget()
                reason = f"{self._options.path} cannot be written: {error.strerror or type(error).__name__}"
                return [self._failed(message, reason) for message in messages]

    def _sorted_out(self, messages: Sequence[OutboundMessage]) -> tuple[list[Outcome], dict[bytes, bytes]]:
        """Return an outcome per message, true once the lines are on the disk, and the lines by digest of the key."""
        outcomes: list[Outcome] = []
        new: dict[bytes, bytes] = {}
        at = self._clock.now().isoformat()
        for message in messages:
            digest = _digest(message.key)
            reference = _reference(digest)
            if digest in self._known or digest in new:
                outcomes.append(Delivered(message.key, reference, repeated=True))
                continue
            line = self._line(message, reference, at)
            if line is None:
                outcomes.append(self._refused(message))
                continue
            new[digest] = line
            outcomes.append(Delivered(message.key, reference))
        return outcomes, new

    def _line(self, message: OutboundMessage, reference: str, at: str) -> bytes | None:
        """Return the line, or None when it cannot be written in any way."""
        line = _Line(
            at=at,
            key=message.key,
            provider_ref=reference,
            event_id=message.event_id,
            claim_id=message.claim_id,
            recipient=message.recipient,
            template=message.template,
            lane=message.lane,
            language=message.language,
            created_at=message.created_at,
            params=dict(message.params),
        )
        try:
            encoded = self._encoder.encode(line) + b"\n"
        except (TypeError, ValueError):
            return None
        return encoded if len(encoded) <= self._options.longest_line else None

    def _refused(self, message: OutboundMessage) -> PermanentFailure:
        longest = self._options.longest_line
        return PermanentFailure(message.key, f"not a line of text of at most {longest} bytes")

    def _failed(self, message: OutboundMessage, reason: str) -> Outcome:
        # What can never be written is refused even while the disk is away; the rest may be tried again.
        if self._line(message, _reference(_digest(message.key)), "") is None:
            return self._refused(message)
        return TemporaryFailure(message.key, reason, self._options.retry_after)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock file; the file itself cannot be locked, because a rotation replaces it."""
        lock = os.open(f"{self._options.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(lock)
            yield
        finally:
            os.close(lock)

    def _take(self, lock: int) -> None:
        """Wait for the lock, but not for ever: its holder may be a process that somebody paused."""
        for _ in range(max(1, round(self._options.lock_wait / _LOCK_PAUSE))):
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(_LOCK_PAUSE)
        raise OSError(errno.EAGAIN, "another process holds the lock file")

    def _catch_up(self) -> None:
        """Open the file if need be, and learn the keys that others appended or rotated away."""
        if self._file is not None and not self._is_current(self._file):
            self._forget()
        if self._file is None:
            self._learn_from_rotated()
            self._file = os.open(self._options.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._read_to = 0
        size = os.fstat(self._file).st_size
        if size < self._read_to:
            self._read_to = 0  # somebody emptied it
        if size > self._read_to:
            text = _read(self._file, self._read_to, size)
            whole = text.rfind(b"\n") + 1
            if whole < len(text):
                os.ftruncate(self._file, self._read_to + whole)
            self._learn(text[:whole])
            self._read_to += whole

    def _append(self, new: Mapping[bytes, bytes]) -> None:
        if not new or self._file is None:
            return
        text = b"".join(new.values())
        try:
            written = 0
            while written < len(text):
                written += os.write(self._file, text[written:])
            os.fsync(self._file)
        except OSError:
            # Half a batch, or one that is perhaps not on the disk: take it back, so that the retry writes it.
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._read_to)
            raise
        self._read_to += len(text)
        self._remember(new)

    def _rotate_if_due(self) -> None:
        """Begin a new file when this one is full. If that fails, the batch is written all the same."""
        if self._read_to < self._options.rotate_bytes or self._file is None:
            return
        path = self._options.path
        with contextlib.suppress(OSError):
            for number in range(self._options.kept_files - 1, 0, -1):
                with contextlib.suppress(FileNotFoundError):
                    os.replace(f"{path}.{number}", f"{path}.{number + 1}")
            if self._options.kept_files:
                os.replace(path, f"{path}.1")
            else:
                os.unlink(path)
            os.close(self._file)
            self._file = None

    def _is_current(self, file: int) -> bool:
        try:
            return os.path.samestat(os.fstat(file), os.stat(self._options.path))
        except FileNotFoundError:
            return False

    def _learn_from_rotated(self) -> None:
        """Learn the keys of the kept files, oldest first, so that the newest are remembered longest."""
        for number in range(self._options.kept_files, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._learn(Path(f"{self._options.path}.{number}").read_bytes())

    def _learn(self, text: bytes) -> None:
        found: list[bytes] = []
        for line in text.splitlines():
            with contextlib.suppress(msgspec.DecodeError):  # a line that a person wrote there
                found.append(_digest(self._decoder.decode(line).key))
        self._remember(found)

    def _remember(self, digests: Iterable[bytes]) -> None:
        for digest in digests:
            self._known[digest] = None
        while len(self._known) > self._options.remembered:
            self._known.popitem(last=False)

    def _forget(self) -> None:
        """After any doubt: close, forget, and read from the file again next time."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.close(self._file)
        self._file = None
        self._known.clear()

    def _close(self) -> None:
        with self._lock:
            self._forget()


def _read(file: int, start: int, end: int) -> bytes:
    parts: list[bytes] = []
    while start < end and (part := os.pread(file, end - start, start)):
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _reference(digest: bytes) -> str:
    """Return the provider's reference of a key: the same whenever and by whomever it is asked."""
    return f"log-{digest.hex()[:16]}"
