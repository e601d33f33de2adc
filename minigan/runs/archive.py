"""One file of named arrays and a header, that is either right to the last bit or refused.

The file is an npz: a zip archive, uncompressed, of arrays in NumPy's npy format, so `numpy.load`
opens it too. One member, `header`, holds JSON as bytes. Nothing is pickled. The zip archive's
comment, which stands at the very end of the file, is the SHA-256 of everything before it: no bit
can change, no byte be missing, without being noticed, before anything is interpreted.

A checksum does not make a file honest, only whole. So `Archive` believes nothing beyond the bytes
that are there: members are uncompressed (nothing expands), together not longer than the file, and
each as long as its own header says, before an array is made.
"""

import contextlib
import hashlib
import json
import math
import os
import re
import struct
import zipfile

import numpy as np

from minigan.files import FileError, chunks, expanded, replacing

__all__ = ["Archive", "CheckpointError", "open_archive", "write_archive"]

HEADER = "header"
DIGEST_LENGTH = 64  # of a SHA-256 in hexadecimal
KINDS = "biuf"  # of dtypes: booleans, integers, floats; no objects, no text

#: The npy format, version 1.0, for arrays of those kinds in rows. NumPy's own reader evaluates
#: the header as a Python literal, which a hostile one answers with almost any exception.
NPY_MAGIC = b"\x93NUMPY\x01\x00"
NPY_HEADER = re.compile(
    rf"{{'descr': '(?P<dtype>[<|][{KINDS}][1248])', 'fortran_order': False, "
    r"'shape': \((?P<shape>[0-9, ]*)\), } *\n"
)

#: What zipfile, NumPy and json raise on files that are not what they should be.
MALFORMED = (
    *(zipfile.BadZipFile, struct.error, EOFError, OSError, RuntimeError),
    *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
)


class CheckpointError(FileError):
    """A checkpoint or a saved network that cannot be used: `path` says which, `reason` why."""


def write_archive(path, header, arrays):
    """Write `header` (what JSON can hold) and `arrays` (name -> host array) to `path`.

    All or nothing: see `replacing`. The same content gives the same bytes. Raises OSError if the
    file cannot be written, TypeError or ValueError if something cannot be part of one.
    """
    text = json.dumps(header).encode()
    members = {HEADER: np.frombuffer(text, np.uint8), **arrays}
    with replacing(path) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.comment = bytes(DIGEST_LENGTH)
            for name, array in members.items():
                if array.dtype.kind not in KINDS:
                    raise TypeError(f"{name}: an array of {array.dtype} cannot be saved")
                info = zipfile.ZipInfo(f"{name}.npy")  # dated 1980: the same bytes at any time
                with archive.open(info, "w", force_zip64=True) as member:
                    rows = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
                    np.lib.format.write_array(member, rows)
        with open(temporary, "r+b") as file:
            digest = _digest(file, os.path.getsize(temporary) - DIGEST_LENGTH)
            file.write(digest)


@contextlib.contextmanager
def open_archive(path, longest=None):
    """The `Archive` in the file `path`, verified; closed at the end.

    longest: how many bytes its header may have; None for any.

    Raises CheckpointError if the content is not what `write_archive` writes, also inside the
    `with` block, where arrays are read; OSError if the file cannot be opened.
    """
    with open(expanded(path), "rb") as file:
        try:
            _check_digest(file, path)
            with zipfile.ZipFile(file) as content:
                yield Archive(path, content, os.fstat(file.fileno()).st_size, longest)
        except CheckpointError:
            raise
        except MALFORMED as error:
            raise CheckpointError(path, f"malformed: {error or type(error).__name__}") from error


class Archive:
    """`header`, and the arrays' `shapes`; `read(name)` gives an array."""

    def __init__(self, path, content, size, longest=None):
        self.path, self._content = path, content
        members = content.infolist()
        for member in members:
            stored = member.compress_type == zipfile.ZIP_STORED
            if not stored or member.compress_size != member.file_size or member.flag_bits & 1:
                raise CheckpointError(path, f"{member.filename!r}: compressed or encrypted")
        if sum(member.file_size for member in members) > size:
            raise CheckpointError(path, "its members are longer than the file")
        self._headers = {member.filename: self._read_header(member) for member in members}
        if len(self._headers) != len(members):
            raise CheckpointError(path, "two members of one name")
        if longest is not None and self._headers[f"{HEADER}.npy"][1] > (longest,):
            raise CheckpointError(path, f"its header is longer than {longest:,} bytes")
        text = self.read(HEADER)
        if text.dtype != np.uint8 or text.ndim != 1:
            raise CheckpointError(path, "its header is not text")
        self.header = json.loads(text.tobytes())
        self.shapes = {
            name.removesuffix(".npy"): shape for name, (_, shape, _) in self._headers.items()
        }
        del self.shapes[HEADER]

    def read(self, name):
        """The array of that name; CheckpointError if there is none."""
        member = f"{name}.npy"
        if member not in self._headers:
            raise CheckpointError(self.path, f"lacks the array {name}")
        dtype, shape, start = self._headers[member]
        data = bytearray(self._content.read(member))  # zipfile checks its own checksum here
        return np.frombuffer(data, dtype, offset=start).reshape(shape)

    def _read_header(self, member):
        """dtype, shape, and where the elements begin, from the first bytes of a member."""
        with self._content.open(member) as file:
            prefix = file.read(len(NPY_MAGIC) + 2)
            start = len(prefix) + int.from_bytes(prefix[len(NPY_MAGIC) :], "little")
            text = file.read(start - len(prefix))
        found = NPY_HEADER.fullmatch(text.decode("latin-1"))
        if not prefix.startswith(NPY_MAGIC) or found is None:
            raise CheckpointError(self.path, f"{member.filename!r}: refused: no plain array")
        shape = tuple(int(length) for length in found["shape"].split(",") if length.strip())
        dtype = np.dtype(found["dtype"])
        claimed, there = math.prod(shape) * dtype.itemsize, member.file_size - start
        if claimed != there:
            text = f"shape {shape} of {dtype} takes {claimed} bytes, {there} are there"
            raise CheckpointError(self.path, f"{member.filename!r}: {text}")
        return dtype, shape, start


def _check_digest(file, path):
    size = os.fstat(file.fileno()).st_size
    if size == 0:
        raise CheckpointError(path, "the file is empty")
    if file.read(2) != b"PK":
        raise CheckpointError(path, "not an npz file")
    file.seek(max(size - DIGEST_LENGTH, 0))
    digest = file.read()
    if len(digest) < DIGEST_LENGTH or digest.strip(b"0123456789abcdef"):
        raise CheckpointError(path, "truncated, or not a file of minigan: no checksum at its end")
    file.seek(0)
    found = _digest(file, size - DIGEST_LENGTH)
    if found != digest:
        text = f"damaged: its SHA-256 is {found.decode()}, expected {digest.decode()}"
        raise CheckpointError(path, text)


def _digest(file, size):
    """SHA-256, as hexadecimal bytes, of the next `size` bytes."""
    digest = hashlib.sha256()
    for chunk in chunks(file, size):
        digest.update(chunk)
        size -= len(chunk)
    if size:
        raise EOFError("the file became shorter")
    return digest.hexdigest().encode()
