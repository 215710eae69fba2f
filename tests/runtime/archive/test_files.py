"""The files of the archive: what was written is read, in order and byte for byte; what was not confirmed is cut off."""

from __future__ import annotations

import hashlib
import resource
from typing import TYPE_CHECKING, Any

import pytest

from runtime.archive import ArchiveDamaged, ArchiveFull, ArchiveOptions, ArchiveReader, Mark
from runtime.archive.segments import listed, partition_directory
from runtime.archive.writer import ArchiveWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LOG = "things"
START = Mark()


def link(head: bytes, entry_id: bytes, fields: Sequence[bytes]) -> bytes:
    return hashlib.sha256(head + entry_id + b"".join(fields)).digest()


def entries(first: int, last: int, size: int = 20) -> list[tuple[str, list[bytes]]]:
    return [
        (f"{1000 + n}-{n % 3}", [b"eventId", f"e{n}".encode(), b"data", b"\x00\xff" * size])
        for n in range(first, last + 1)
    ]


def writer(directory: Path, at: Mark = START, **options: Any) -> ArchiveWriter:
    return ArchiveWriter(directory, LOG, 0, "inc-1", at, link, ArchiveOptions(**options))


def reader(directory: Path) -> ArchiveReader:
    return ArchiveReader(directory, LOG, 0)


def chained(all_entries: Sequence[tuple[str, Sequence[bytes]]]) -> Mark:
    head = Mark().head
    for entry_id, fields in all_entries:
        head = link(head, entry_id.encode(), fields)
    return Mark(len(all_entries), all_entries[-1][0], head)


def read_back(directory: Path, after: str = "") -> list[tuple[str, list[bytes]]]:
    return [(one.id, one.fields) for one in reader(directory).entries(after)]


@pytest.mark.parametrize("compression", [0, 1, 9])
def test_what_was_written_is_read_byte_for_byte_in_order(tmp_path: Path, compression: int) -> None:
    one = writer(tmp_path, compression=compression)
    wanted = entries(1, 1200)
    for at in (0, 1, 700):
        mark = one.write(wanted[at : {0: 1, 1: 700, 700: 1200}[at]])
    one.close()
    assert read_back(tmp_path) == wanted
    assert reader(tmp_path).tail() == mark == chained(wanted)
    assert [found.number for found in reader(tmp_path).entries(after=wanted[999][0])] == list(range(1001, 1201))


def test_segments_are_cut_and_read_as_one(tmp_path: Path) -> None:
    one = writer(tmp_path, segment_mib=1, compression=0)
    wanted = entries(1, 60, size=50_000)
    for at in range(0, 60, 10):
        one.write(wanted[at : at + 10])
    one.close()
    assert len(listed(partition_directory(tmp_path, LOG, 0))) == 3
    assert read_back(tmp_path) == wanted
    found = reader(tmp_path).find([wanted[n][0] for n in (0, 9, 10, 35, 59)] + ["5-5", "999999-0"])
    assert {name: one.number for name, one in found.items()} == {wanted[n][0]: n + 1 for n in (0, 9, 10, 35, 59)}


def test_who_begins_at_the_settled_place_cuts_off_what_was_written_behind_it(tmp_path: Path) -> None:
    first = writer(tmp_path)
    settled = first.write(entries(1, 10))
    first.write(entries(11, 30))  # fsynced, never settled
    second = writer(tmp_path, settled)
    second.write(entries(11, 15))
    first.write(entries(31, 40))  # a zombie that goes on
    assert read_back(tmp_path) == entries(1, 15)
    assert reader(tmp_path).tail() == chained(entries(1, 15))
    third = writer(tmp_path, Mark())
    third.write(entries(1, 3))
    assert read_back(tmp_path) == entries(1, 3), "a generation that begins at the start cuts off all others"
    for one in (first, second, third):
        one.close()


def test_a_torn_end_was_never_confirmed_and_is_not_there(tmp_path: Path) -> None:
    one = writer(tmp_path)
    one.write(entries(1, 5))
    one.write(entries(6, 9))
    one.close()
    (segment,) = listed(partition_directory(tmp_path, LOG, 0))
    whole = segment.path.read_bytes()
    lengths = set()
    for cut in range(segment.offset, len(whole)):
        segment.path.write_bytes(whole[:cut])
        lengths.add(len(read_back(tmp_path)))
        assert reader(tmp_path).tail().count in (0, 5)
    assert lengths == {0, 5}


def test_a_changed_byte_is_told_and_not_read_over(tmp_path: Path) -> None:
    one = writer(tmp_path)
    one.write(entries(1, 5))
    one.write(entries(6, 9))
    one.close()
    (segment,) = listed(partition_directory(tmp_path, LOG, 0))
    whole = bytearray(segment.path.read_bytes())
    whole[segment.offset + 150] ^= 1
    segment.path.write_bytes(bytes(whole))
    with pytest.raises(ArchiveDamaged, match="restore the file"):
        read_back(tmp_path)


def test_a_segment_that_is_gone_is_told(tmp_path: Path) -> None:
    one = writer(tmp_path, segment_mib=1, compression=0)
    for at in range(0, 60, 20):
        one.write(entries(at + 1, at + 20, size=50_000))
    one.close()
    segments = listed(partition_directory(tmp_path, LOG, 0))
    assert len(segments) == 3
    segments[1].path.unlink()
    with pytest.raises(ArchiveDamaged):
        read_back(tmp_path)


def test_a_full_disk_leaves_whole_frames_and_it_goes_on_afterwards(tmp_path: Path) -> None:
    one = writer(tmp_path, compression=0)
    mark = one.write(entries(1, 5))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(ArchiveFull, match="nothing is trimmed"):
            one.write(entries(6, 9, size=5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert one.mark == mark
    assert read_back(tmp_path) == entries(1, 5)
    one.write(entries(6, 9))
    one.close()
    assert read_back(tmp_path) == entries(1, 9)
