"""The idx format: arrays in the files that MNIST comes in.

A file is a header and then the array's elements, row-major; every number is big-endian
(described on LeCun, Cortes and Burges' MNIST page)::

    byte 0, 1      0, 0
    byte 2         type code: 0x08 uint8, 0x09 int8, 0x0B int16, 0x0C int32,
                              0x0D float32, 0x0E float64
    byte 3         number of dimensions, ndim
    4 * ndim       the size of each dimension, uint32
    the rest       the elements

The files usually come gzipped. Whether one is gzipped is decided by its first bytes, not by its
name. `read_idx` trusts nothing: it reads the header, refuses sizes above a limit, and then reads
at most one byte more than the header promised, in chunks, so that neither a header that lies nor
a gzip file that expands without end fills the memory.
"""

import contextlib
import gzip
import hashlib
import math
import struct
import zlib

import numpy as np

from minigan.files import FileError, chunks

__all__ = ["MAX_BYTES", "IdxError", "content_sha256", "encode_idx", "open_content", "read_idx"]

DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_NDIM = 8
MAX_BYTES = 1 << 30  # 1 GiB of elements: twenty times the largest file of MNIST
GZIP_MAGIC = b"\x1f\x8b"


class IdxError(FileError):
    """A file of data whose content is not what it should be."""


@contextlib.contextmanager
def open_content(path):
    """Open `path` for reading as a binary stream of its uncompressed content, gzip or not.

    A corrupt gzip file raises IdxError when the stream is read up to the fault (the checksum
    stands at the end, so a fault may show only there). A file that cannot be opened raises
    OSError.
    """
    with open(path, "rb") as raw:
        compressed = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        if not compressed:
            yield raw
            return
        try:
            with gzip.GzipFile(fileobj=raw) as stream:
                yield stream
        except EOFError as error:
            raise IdxError(path, "truncated gzip file") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            raise IdxError(path, f"corrupt gzip file: {error}") from error


def content_sha256(path, max_bytes=MAX_BYTES):
    """SHA-256, in hexadecimal, of the uncompressed content of a file, gzip or not.

    It does not depend on who compressed the file and how. Raises IdxError for a corrupt gzip file
    and for content of more than `max_bytes` bytes.
    """
    digest, size = hashlib.sha256(), 0
    with open_content(path) as stream:
        for chunk in chunks(stream, max_bytes + 1):
            size += len(chunk)
            digest.update(chunk)
    if size > max_bytes:
        raise IdxError(path, f"content of more than {max_bytes} bytes")
    return digest.hexdigest()


def read_idx(path, *, ndim=None, max_bytes=MAX_BYTES):
    """The array in an idx file, gzip or not, in the machine's byte order; it is writable.

    ndim: how many dimensions the file must have; None for any from 1 to 8. max_bytes: the largest
    size of the elements that is read.

    Raises IdxError if the content is no idx array (truncated header or data, trailing data, wrong
    magic number, unknown type code, wrong number of dimensions, too large, corrupt gzip), OSError
    if the file cannot be opened or read.
    """
    with open_content(path) as stream:
        dtype, shape = _read_header(stream, path, ndim)
        expected = math.prod(shape) * dtype.itemsize  # Python integers: cannot overflow
        # A size of 0 hides the others from the product, but NumPy multiplies the others too.
        if math.prod(max(size, 1) for size in shape) * dtype.itemsize > max_bytes:
            raise IdxError(path, f"size {shape} of {dtype.name} is above {max_bytes} bytes")
        # One byte more shows whether anything follows; at the end gzip checks its checksum.
        data = bytearray().join(chunks(stream, expected + 1))
    if len(data) < expected:
        raise IdxError(path, f"truncated data: {len(data)} of {expected} bytes, shape {shape}")
    if len(data) > expected:
        raise IdxError(path, f"trailing data after the {expected} bytes of shape {shape}")
    array = np.frombuffer(data, dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def encode_idx(array):
    """The bytes of an idx file that holds `array` (1 to 8 dimensions, of a dtype listed above)."""
    codes = {np.dtype(dtype).name: code for code, dtype in DTYPES.items()}
    if array.dtype.name not in codes:
        raise TypeError(f"idx files hold {', '.join(codes)}; got {array.dtype}")
    if not 1 <= array.ndim <= MAX_NDIM:
        raise ValueError(f"idx arrays have 1 to {MAX_NDIM} dimensions here; got {array.ndim}")
    code = codes[array.dtype.name]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(DTYPES[code]).tobytes()


def _read_header(stream, path, ndim):
    magic = stream.read(4)
    if magic[:2] != bytes(2)[: len(magic)]:
        neither = "neither gzip (1f 8b) nor idx (00 00, type, dimensions)"
        raise IdxError(path, f"wrong magic number: starts with {magic.hex(' ')}, {neither}")
    if len(magic) < 4:
        raise IdxError(path, f"truncated header: {len(magic)} of 4 bytes of magic number")
    code, found = magic[2], magic[3]
    if code not in DTYPES:
        raise IdxError(path, f"unsupported type code 0x{code:02x}")
    if not 1 <= found <= MAX_NDIM or ndim not in (None, found):
        expected = ndim if 1 <= found <= MAX_NDIM else f"1 to {MAX_NDIM}"
        raise IdxError(path, f"wrong number of dimensions: {found}, expected {expected}")
    sizes = stream.read(4 * found)
    if len(sizes) < 4 * found:
        raise IdxError(path, f"truncated header: {len(sizes)} of {4 * found} bytes of sizes")
    return np.dtype(DTYPES[code]), struct.unpack(f">{found}I", sizes)
