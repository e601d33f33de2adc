"""The idx reader: right on good files, and IdxError, nothing else, on everything broken.

The files are put together by hand with struct, so `encode_idx` is tested, not trusted.
"""

import gzip
import hashlib
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data.idx import IdxError, content_sha256, encode_idx, read_idx

VALUES = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
GOOD = bytes([0, 0, 8, 3]) + struct.pack(">III", 4, 3, 2) + bytes(range(24))
TYPES = [(0x08, "B", "u1"), (0x09, "b", "i1"), (0x0B, "h", "i2"), (0x0C, "i", "i4"),
         (0x0D, "f", "f4"), (0x0E, "d", "f8")]  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def write_bytes(content):
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return write_bytes


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_reads_plain_and_gzip_whatever_the_name(tmp_path, compress):
    for name in ("a-idx3-ubyte", "a-idx3-ubyte.gz"):
        path = tmp_path / name
        path.write_bytes(compress(GOOD))
        array = read_idx(path, ndim=3)
        np.testing.assert_array_equal(array, VALUES)
        assert array.dtype == np.uint8 and array.flags.writeable


@pytest.mark.parametrize("code, letter, dtype", TYPES)
def test_every_type_is_big_endian_in_the_file_and_native_in_memory(write, code, letter, dtype):
    numbers = [1, 2, 100, 3, 4, 5]
    content = bytes([0, 0, code, 2]) + struct.pack(f">II6{letter}", 2, 3, *numbers)
    array = read_idx(write(content))
    assert array.dtype == np.dtype(dtype) and array.dtype.isnative and array.shape == (2, 3)
    assert array.ravel().tolist() == numbers
    assert encode_idx(array) == content
    assert encode_idx(array.astype(array.dtype.newbyteorder(">"))) == content
    assert encode_idx(array.T.copy().T) == content  # any memory layout


def test_gzip_of_several_members_is_one_content(write):
    array = read_idx(write(gzip.compress(GOOD[:20]) + gzip.compress(GOOD[20:])))
    np.testing.assert_array_equal(array, VALUES)


def test_empty_dimension(write):
    assert read_idx(write(bytes([0, 0, 8, 2]) + struct.pack(">II", 0, 7))).shape == (0, 7)


@pytest.mark.parametrize("array", [np.zeros(3, bool), np.zeros(3, np.int64), np.array(["a"])])
def test_encode_refuses_types_that_the_format_lacks(array):
    with pytest.raises(TypeError, match=r"idx files hold uint8.*got"):
        encode_idx(array)


@pytest.mark.parametrize("ndim", [0, 9])
def test_encode_refuses_too_few_or_too_many_dimensions(ndim):
    with pytest.raises(ValueError, match=f"got {ndim}"):
        encode_idx(np.zeros((1,) * ndim, np.uint8))


def header(code, *sizes):
    return bytes([0, 0, code, len(sizes)]) + struct.pack(f">{len(sizes)}I", *sizes)


GZIPPED = gzip.compress(GOOD)
WRONG_CRC = GZIPPED[:-8] + bytes([GZIPPED[-8] ^ 1]) + GZIPPED[-7:]
WRONG_LENGTH = GZIPPED[:-1] + b"\x01"
BROKEN = {
    "empty": (b"", "truncated header: 0 of 4"),
    "short magic": (b"\0\0\x08", "truncated header: 3 of 4"),
    "short sizes": (GOOD[:10], "truncated header: 6 of 12"),
    "short data": (GOOD[:-1], r"truncated data: 23 of 24 bytes, shape \(4, 3, 2\)"),
    "trailing": (GOOD + b"\0", "trailing data after the 24 bytes"),
    "trailing in gzip": (gzip.compress(GOOD + b"\0"), "trailing data after the 24 bytes"),
    "html": (b"<!doctype html><html></html>", "wrong magic number: starts with 3c 21"),
    "magic": (b"\0\x01" + GOOD[2:], "wrong magic number: starts with 00 01 08 03"),
    "type": (header(0x0A, 3) + bytes(6), "unsupported type code 0x0a"),
    "no dimensions": (header(8) + b"\0", "wrong number of dimensions: 0, expected 1 to 8"),
    "nine dimensions": (
        header(8, *[1] * 9) + b"\0",
        "wrong number of dimensions: 9, expected 1 to 8",
    ),
    "two dimensions": (header(8, 2, 2) + bytes(4), "wrong number of dimensions: 2, expected 3"),
    "absurd": (header(8, 2**32 - 1, 28, 28), r"size \(4294967295, 28, 28\) of uint8 is above"),
    "absurd, overflows": (header(0x0E, *[2**32 - 1] * 3), "is above"),
    "absurd behind a zero": (header(8, 0, 2**32 - 1, 2**32 - 1), "is above"),
    "gzip cut in its header": (GZIPPED[:5], "truncated gzip file"),
    "gzip cut in its data": (GZIPPED[:20], "truncated gzip file"),
    "gzip cut in its checksum": (GZIPPED[:-6], "truncated gzip file"),
    "gzip with wrong checksum": (WRONG_CRC, "corrupt gzip file: CRC check failed"),
    "gzip with wrong length": (WRONG_LENGTH, "corrupt gzip file: Incorrect length"),
    "gzip with garbage after it": (GZIPPED + b"<html>", "corrupt gzip file: Not a gzipped file"),
    "gzip of nonsense": (GZIPPED[:10] + b"\xff" * 40, "corrupt gzip file"),
    "gzip of gzip": (gzip.compress(GZIPPED), "wrong magic number: starts with 1f 8b"),
}


@pytest.mark.parametrize("content, reason", BROKEN.values(), ids=BROKEN.keys())
def test_broken_files_are_named_with_the_reason(write, content, reason):
    path = write(content)
    with pytest.raises(IdxError, match=reason) as caught:
        read_idx(path, ndim=3)
    assert str(path) in str(caught.value)
    assert caught.value.path == path


def test_limit_is_the_largest_size_that_is_read(write):
    path = write(GOOD)
    assert read_idx(path, max_bytes=24).shape == (4, 3, 2)
    with pytest.raises(IdxError, match="above 23 bytes"):
        read_idx(path, max_bytes=23)


def test_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_idx(tmp_path / "absent")


def peak_memory(function):
    tracemalloc.start()
    try:
        with pytest.raises(IdxError):
            function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_lies_and_bombs_do_not_fill_the_memory(write):
    """64 MB of zeros in 64 KB of gzip; and a header that promises a gigabyte that is not there."""
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(header(8, 10) + bytes(64 << 20)) + packer.flush()
    path = write(bomb)
    assert peak_memory(lambda: read_idx(path)) < 8 << 20
    assert peak_memory(lambda: content_sha256(path, max_bytes=4 << 20)) < 8 << 20
    path = write(gzip.compress(header(8, 1 << 30) + bytes(100)))
    assert peak_memory(lambda: read_idx(path)) < 8 << 20


@pytest.mark.parametrize("level", [1, 9])
def test_digest_is_of_the_uncompressed_content(write, level):
    expected = hashlib.sha256(GOOD).hexdigest()
    assert content_sha256(write(GOOD)) == expected
    assert content_sha256(write(gzip.compress(GOOD, level))) == expected


def test_digest_limit_and_corrupt_gzip(write):
    path = write(GZIPPED)
    assert content_sha256(path, max_bytes=len(GOOD))
    with pytest.raises(IdxError, match=f"more than {len(GOOD) - 1} bytes"):
        content_sha256(path, max_bytes=len(GOOD) - 1)
    with pytest.raises(IdxError, match="CRC check failed"):
        content_sha256(write(WRONG_CRC))


few = settings(derandomize=True, max_examples=80, deadline=None, database=None)


def read_or_idx_error(folder, content):
    """Read `content` with a small limit: an array that encodes to it, or None after IdxError."""
    path = folder / "fuzz"
    path.write_bytes(content)
    try:
        array = read_idx(path, max_bytes=1 << 16)
    except IdxError:
        return None
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    assert encode_idx(array) == plain
    return array


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


prefixes = st.sampled_from([b"", b"\0\0", b"\0\0\x08", b"\x1f\x8b", b"\x1f\x8b\x08", GZIPPED[:10]])


@few
@given(prefix=prefixes, tail=st.binary(max_size=60))
def test_fuzz_random_bytes(folder, prefix, tail):
    read_or_idx_error(folder, prefix + tail)


@few
@given(
    base=st.sampled_from([GOOD, GZIPPED]),
    changes=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 255)), max_size=4),
)
def test_fuzz_mutated_files(folder, base, changes):
    content = bytearray(base)
    for place, flip in changes:
        content[place % len(base)] ^= flip
    array = read_or_idx_error(folder, bytes(content))
    if bytes(content) == base:
        np.testing.assert_array_equal(array, VALUES)


@few
@given(
    base=st.sampled_from([GOOD, GZIPPED]),
    keep=st.integers(0, 59),
    tail=st.binary(min_size=1, max_size=3),
)
def test_fuzz_truncated_and_extended_files(folder, base, keep, tail):
    assert read_or_idx_error(folder, base[: keep % len(base)]) is None
    if base is GOOD or tail.strip(b"\0"):  # gzip allows padding with zeros
        assert read_or_idx_error(folder, base + tail) is None


@few
@given(dtype=st.sampled_from(["u1", "i1", "i2", "i4", "f4", "f8"]),
       shape=st.lists(st.integers(0, 4), min_size=1, max_size=4),
       compress=st.sampled_from([bytes, gzip.compress]), seed=st.integers(0, 9))  # fmt: skip
def test_what_is_encoded_is_read(folder, dtype, shape, compress, seed):
    array = np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)
    path = folder / "round"
    path.write_bytes(compress(encode_idx(array)))
    found = read_idx(path, ndim=len(shape))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
