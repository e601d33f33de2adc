"""The file itself: every bit counts, and nothing in it is believed."""

import hashlib
import io
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from minigan import files
from minigan.runs import archive
from minigan.runs.archive import CheckpointError, open_archive, write_archive

ARRAYS = {"a/b": np.arange(6.0).reshape(2, 3), "empty": np.zeros((0, 3), "float32")}


@pytest.fixture
def path(tmp_path):
    write_archive(tmp_path / "a.npz", {"one": [1, 2.5, None]}, ARRAYS)
    return tmp_path / "a.npz"


def read(path):
    with open_archive(path) as content:
        return content.header, {name: content.read(name) for name in content.shapes}


def refused(path, reason=""):
    with pytest.raises(CheckpointError, match=reason) as caught:
        read(path)
    assert caught.value.path == path and str(path) in str(caught.value)


def seal(content):
    """The bytes of a zip archive with the right checksum at their end."""
    body = content[:-64]
    return body + hashlib.sha256(body).hexdigest().encode()


def npy(array=None, **header):
    """The bytes of an npy file; with `header`, one that says so."""
    file = io.BytesIO()
    if header:
        complete = {"descr": "<f4", "fortran_order": False, "shape": (2,)} | header
        np.lib.format.write_array_header_1_0(file, complete)
        file.write(bytes(8))
    else:
        np.lib.format.write_array(file, array, allow_pickle=True)
    return file.getvalue()


def archive_of(path, members, header=b"{}", compression=zipfile.ZIP_STORED):
    """Write a well-sealed archive of these members (name, bytes)."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as content:
        content.comment = bytes(64)
        text = npy(np.frombuffer(header, np.uint8)) if isinstance(header, bytes) else npy(header)
        for name, member in [("header.npy", text), *members]:
            content.writestr(name, member)
    path.write_bytes(seal(file.getvalue()))


def test_what_is_written_is_read(path):
    header, arrays = read(path)
    assert header == {"one": [1, 2.5, None]}
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype and arrays[name].flags.writeable


def test_truncations_are_refused(path):
    content = path.read_bytes()
    for length in (*range(0, len(content), 7), *range(len(content) - 70, len(content))):
        path.write_bytes(content[:length])
        refused(path, "empty|not an npz file|truncated")


@pytest.mark.parametrize("length", [0, 1, 2, 63, 64, 65])
def test_files_of_a_few_bytes_say_what_they_are(path, length):
    path.write_bytes((b"PK" + bytes(64))[:length])
    reason = "the file is empty" if length == 0 else "not an npz" if length == 1 else "truncated"
    refused(path, reason)


def test_the_checksum_is_of_everything_before_it_however_it_is_read(tmp_path, monkeypatch):
    """The last bytes count too, where the file is a little longer than some chunks."""
    for chunk in (1, 2, 7, 64, 1000):
        monkeypatch.setattr(files, "CHUNK", chunk)
        for length in range(8):
            write_archive(tmp_path / "a.npz", {}, {"a": np.zeros(length, np.uint8)})
            content = (tmp_path / "a.npz").read_bytes()
            assert content[-64:].decode() == hashlib.sha256(content[:-64]).hexdigest()
            read(tmp_path / "a.npz")


def test_no_arrays_and_no_numbers(tmp_path):
    """The smallest archives that can be written: nothing but a header, and arrays of nothing."""
    for header, arrays in (({}, {}), (None, {"nothing": np.zeros(0)}), ([], {"one": np.ones(())})):
        write_archive(tmp_path / "a.npz", header, arrays)
        found, read_back = read(tmp_path / "a.npz")
        assert found == header and list(read_back) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read_back[name], array)


def test_a_flipped_bit_is_refused(path):
    content = bytearray(path.read_bytes())
    for offset in (*range(0, len(content), 5), *range(len(content) - 70, len(content))):
        content[offset] ^= 1 << offset % 8
        path.write_bytes(content)
        refused(path, "not an npz file|no checksum at its end|damaged")
        content[offset] ^= 1 << offset % 8


@pytest.mark.parametrize("tail", [b"x", b"\0" * 100])
def test_trailing_bytes_are_refused(path, tail):
    path.write_bytes(path.read_bytes() + tail)
    refused(path, "no checksum at its end|damaged")


def test_other_files(path):
    np.savez(path, a=np.eye(2))
    refused(path, "truncated, or not a file of minigan: no checksum")
    path.write_text("<!doctype html>" * 20, encoding="utf-8")
    refused(path, "not an npz file")
    path.write_bytes(seal(b"PK" + bytes(200)))
    refused(path, "malformed: File is not a zip file")
    with pytest.raises(IsADirectoryError):
        read(path.parent)
    with pytest.raises(FileNotFoundError):
        read(path.parent / "absent")


def encrypted(path):
    archive_of(path, [("a.npy", npy(np.eye(2)))])
    content = bytearray(path.read_bytes())
    start = content.rindex(b"PK\x01\x02")
    content[start + 8] |= 1  # the flag in the central directory
    path.write_bytes(seal(bytes(content)))


def method(path):
    """Stored, and said to be compressed."""
    archive_of(path, [("a.npy", npy(np.eye(2)))])
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 10] = zipfile.ZIP_BZIP2
    path.write_bytes(seal(bytes(content)))


def overlapping(path):
    """Many names for the same megabyte: an archive 50 times as long as its file."""
    archive_of(path, [("a.npy", npy(np.zeros(1 << 17)))])
    content = path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    entry = content[content.rindex(b"PK\x01\x02") : end]
    entries = b"".join(entry.replace(b"a.npy", b"%c.npy" % (66 + i)) for i in range(50))
    record = bytearray(content[end:])
    size = int.from_bytes(record[12:16], "little") + len(entries)
    record[8:12] = (52).to_bytes(2, "little") * 2
    record[12:16] = size.to_bytes(4, "little")
    path.write_bytes(seal(content[:end] + entries + bytes(record)))


def without_header(path):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as content:
        content.comment = bytes(64)
        content.writestr("a.npy", npy(np.eye(2)))
    path.write_bytes(seal(file.getvalue()))


def of(*members, **options):
    return lambda path: archive_of(path, members, **options)


def claims(**header):
    return of(("a.npy", npy(**header)))


HUGE = 1 << 40
FORGED = {
    "objects": (of(("a.npy", npy(np.array([None, {}])))), "no plain array"),
    "objects inside": (claims(descr=[("x", "|O")]), "no plain array"),
    "text": (claims(descr="<U2", shape=(1,)), "no plain array"),
    "records": (claims(descr=[("x", "<f4")]), "no plain array"),
    "complex": (claims(descr="<c8", shape=(1,)), "no plain array"),
    "absurd shape": (claims(shape=(HUGE,)), f"takes {4 * HUGE} bytes, 8 are there"),
    "absurd product": (claims(shape=(HUGE, HUGE, HUGE)), "bytes, 8 are there"),
    "one element more": (claims(shape=(3,)), r"shape \(3,\) of float32 takes 12 bytes, 8 are"),
    "one element less": (claims(shape=(1,)), "takes 4 bytes, 8 are there"),
    "hidden by a zero": (claims(shape=(0, HUGE)), "takes 0 bytes, 8 are there"),
    "negative": (claims(shape=(-1, -2)), "no plain array"),
    "columns first": (claims(fortran_order=True), "no plain array"),
    "shape of floats": (claims(shape=(2.0,)), "no plain array"),
    "dtype of nonsense": (claims(descr="<f1", shape=(8,)), "malformed: data type"),
    "no npy": (of(("a.npy", b"nonsense")), "no plain array"),
    "npy version 2": (of(("a.npy", b"\x93NUMPY\x02\x00" + bytes(99))), "no plain array"),
    "endless npy header": (
        of(("a.npy", b"\x93NUMPY\x01\x00\xff\xff" + b" " * 65535)),
        "no plain array",
    ),
    "nested npy header": (
        of(("a.npy", b"\x93NUMPY\x01\x00\x00\x20" + b"(" * 8192)),
        "no plain array",
    ),
    "code as npy header": (
        of(("a.npy", b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os').abort()".ljust(32))),
        "no plain array",
    ),
    "zip bomb": (
        of(("a.npy", npy(np.zeros(1 << 20))), compression=zipfile.ZIP_DEFLATED),
        "compressed or encrypted",
    ),
    "overlapping": (overlapping, "its members are longer than the file"),
    "another method": (method, "compressed or encrypted"),
    "encrypted": (encrypted, "compressed or encrypted"),
    "no header": (without_header, "lacks the array header"),
    "header of floats": (of(header=np.zeros(3)), "its header is not text"),
    "header in two axes": (of(header=np.zeros((2, 2), np.uint8)), "its header is not text"),
    "header no JSON": (of(header=b"{'a': 1}"), "malformed"),
    "header no text": (of(header=b"\xff\xfe\xfd"), "malformed"),
    "nested header": (of(header=b"[" * 100_000), "malformed: (maximum recursion|Stack overflow)"),
    "endless number": (of(header=b"9" * 100_000), "malformed"),
    "control characters": (of(("\x1b[2J.npy", b"")), r"\\x1b\[2J|malformed"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_forged_files_are_refused_before_anything_is_made(name, tmp_path):
    make, reason = FORGED[name]
    path = tmp_path / "forged.npz"
    make(path)
    size = path.stat().st_size
    tracemalloc.start()
    try:
        refused(path, reason)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * size + (4 << 20)


def test_two_members_of_one_name(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive_of(tmp_path / "a.npz", [("a.npy", npy(np.eye(2)))] * 2)
    refused(tmp_path / "a.npz", "two members of one name")


def test_names_are_never_paths(tmp_path):
    """Nothing is ever unpacked to a file: a name that climbs out is a name."""
    members = [(name, npy(np.eye(1))) for name in ("../x.npy", "/etc/x.npy")]
    archive_of(tmp_path / "a.npz", members)
    _, arrays = read(tmp_path / "a.npz")
    assert set(arrays) == {"../x", "/etc/x"}
    assert {p.name for p in tmp_path.iterdir()} == {"a.npz"}


def test_a_large_header_is_fine(tmp_path):
    header = {"permutation": list(range(20_000))}
    write_archive(tmp_path / "a.npz", header, {})
    assert read(tmp_path / "a.npz") == (json.loads(json.dumps(header)), {})


def test_a_file_that_becomes_shorter_while_it_is_read(path, monkeypatch):
    size = path.stat().st_size
    monkeypatch.setattr(os, "fstat", lambda handle: os.stat_result((0,) * 6 + (2 * size, 0, 0, 0)))
    refused(path, "no checksum at its end|malformed")
    with pytest.raises(EOFError, match="became shorter"):
        archive._digest(io.BytesIO(b"abc"), 5)
