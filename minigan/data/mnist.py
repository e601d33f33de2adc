"""MNIST: 28 x 28 images of handwritten digits, 60,000 for training and 10,000 for testing.

Read `load_mnist` first, then `_load`, which is the search: a folder that you name (argument or
environment variable), else your cache, else a download to the cache. A folder that you name is
taken at its word: if the files in it are missing or broken you are told so, and nothing else is
tried in its place. Every file is verified by the SHA-256 of its *uncompressed* content, wherever
it comes from, so training never starts on damaged data.
"""

import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigan.data.download import DownloadError
from minigan.data.download import download as fetch
from minigan.data.idx import IdxError, content_sha256, read_idx

__all__ = ["MNIST", "MnistError", "MnistFile", "MnistSource", "cache_dir", "load_mnist"]

VARIABLE = "MINIGAN_DATA"
MAX_BYTES = 64 << 20  # no file is larger; the training images have 47 MB


class MnistError(RuntimeError):
    """MNIST is missing or broken; the message names file and reason, and says what to do."""


@dataclass(frozen=True)
class MnistFile:
    """One idx file of bytes: its name without .gz, its shape, the SHA-256 of its content."""

    name: str
    shape: tuple
    sha256: str

    def __post_init__(self):
        if Path(self.name).name != self.name:  # or a download could leave the cache
            raise ValueError(
                f"name: expected the name of a file without a folder, got {self.name!r}"
            )


@dataclass(frozen=True)
class MnistSource:
    """What to load: `files[split]` is the pair (images, labels), `mirrors` end with a slash."""

    files: dict
    mirrors: tuple


MNIST = MnistSource(
    files={
        "train": (
            MnistFile(
                "train-images-idx3-ubyte",
                (60000, 28, 28),
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            MnistFile(
                "train-labels-idx1-ubyte",
                (60000,),
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
        ),
        "test": (
            MnistFile(
                "t10k-images-idx3-ubyte",
                (10000, 28, 28),
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            MnistFile(
                "t10k-labels-idx1-ubyte",
                (10000,),
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
    },
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
)


def load_mnist(split="train", data_dir=None, download=True, *, dtype=np.float32, source=MNIST):
    """Load the training or the test set.

    The two files (images and labels, gzipped or not) are taken from `data_dir`; without it from
    the folder in the environment variable MINIGAN_DATA; without that from `cache_dir()`, to which
    they are downloaded if need be. In each folder they may also lie in a sub-folder `mnist`.

    Parameters
    ----------
    split : "train" or "test"
    data_dir : a folder that holds the files
    download : whether files that are missing or broken in the cache may be downloaded
    dtype : of the images, float32 or float64
    source : names, shapes, digests and mirrors of the files

    Returns
    -------
    images : (N, 28, 28, 1), pixel / 127.5 - 1, from -1 (background) to 1 (ink)
    labels : (N,) int64, the digits 0 to 9

    Raises
    ------
    MnistError : the files are missing or broken, and could not be downloaded
    ValueError : `split` or `dtype` is none of the above
    """
    if split not in source.files:
        raise ValueError(f"split must be one of {list(source.files)}, got {split!r}")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype must be float32 or float64, got {np.dtype(dtype)}")
    images_file, labels_file = source.files[split]
    pixels = _load(images_file, data_dir, download, source)
    labels = _load(labels_file, data_dir, download, source)
    images = pixels[..., np.newaxis].astype(dtype)
    images /= 127.5
    images -= 1
    return images, labels.astype(np.int64)


def cache_dir():
    """The folder where minigan keeps downloaded files, by the custom of the operating system."""
    if sys.platform == "win32":
        base, default = os.environ.get("LOCALAPPDATA", ""), ("AppData", "Local")
    elif sys.platform == "darwin":
        base, default = "", ("Library", "Caches")
    else:
        base, default = os.environ.get("XDG_CACHE_HOME", ""), (".cache",)
    # Of XDG_CACHE_HOME its specification says that a relative path is to be ignored.
    folder = Path(base) if os.path.isabs(base) else Path.home().joinpath(*default)
    return folder / "minigan"


def _load(file, data_dir, download, source):
    """The array of one file: from the folder that was named, else from the cache or a mirror."""
    folder, named_by = data_dir, "data_dir"
    if folder is None and os.environ.get(VARIABLE):
        folder, named_by = os.environ[VARIABLE], VARIABLE
    if folder is not None:
        folder = Path(folder).expanduser()
        path = _find(folder, file)
        if path is None:
            absent = "" if folder.is_dir() else ", which is no folder"
            looked = f"{folder} ({named_by}{absent})"
            raise MnistError(_unavailable(file, source, looked, "no, since a folder was named"))
        return _read(path, file)

    cache, broken = cache_dir(), None
    looked = f"{cache} (the cache; neither data_dir nor {VARIABLE} names a folder)"
    path = _find(cache, file)
    if path is not None:
        try:
            return _read(path, file)
        except MnistError as error:
            if not download:
                raise
            warnings.warn(f"{error}\nDownloading it again.", RuntimeWarning, stacklevel=3)
            broken, looked = path, f"{looked}\nFound: {error}"
    if not download:
        raise MnistError(_unavailable(file, source, looked, "no, since download=False"))
    target = cache / "mnist" / f"{file.name}.gz"
    try:
        urls = [mirror + target.name for mirror in source.mirrors]
        fetch(urls, target, file.sha256, max_bytes=MAX_BYTES)
        if broken not in (None, target):
            broken.unlink(missing_ok=True)  # or it would be found before the new file
    except (DownloadError, OSError) as error:
        # "from None": the message says all; the chain of causes would bury it.
        raise MnistError(_unavailable(file, source, looked, error)) from None
    return _read(target, file)


def _names(file):
    dotted = file.name.replace("-idx", ".idx")  # as some archives have it
    return file.name, f"{file.name}.gz", dotted, f"{dotted}.gz"


def _find(folder, file):
    """The first file that bears one of the names, or None."""
    paths = (place / name for place in (folder, folder / "mnist") for name in _names(file))
    return next((path for path in paths if path.is_file()), None)


def _read(path, file):
    """The array in `path`, verified against `file`; MnistError names the path and the reason."""
    try:
        array = read_idx(path, ndim=len(file.shape), max_bytes=MAX_BYTES)
        if array.dtype != np.uint8 or array.shape != file.shape:
            found = f"{array.dtype} of shape {array.shape}"
            raise IdxError(path, f"holds {found}, expected uint8 of shape {file.shape}")
        digest = content_sha256(path, MAX_BYTES)
        if digest != file.sha256:
            found = f"SHA-256 of the uncompressed content is {digest}"
            raise IdxError(path, f"bad checksum: {found}, expected {file.sha256}")
    except IdxError as error:
        raise MnistError(f"{error} (this file is broken: replace or remove it)") from None
    except OSError as error:
        raise MnistError(f"{path}: cannot be read: {error}") from None
    return array


def _unavailable(file, source, looked, download):
    wanted = [f"     {wanted.name}" for pair in source.files.values() for wanted in pair]
    return "\n".join(
        [
            f"MNIST: the file {file.name} is not available.",
            f"Looked for: {', '.join(_names(file))}",
            f"In this folder and its sub-folder mnist: {looked}",
            f"Download: {download}",
            "What to do, one of:",
            "  1. put these files, each gzipped (.gz) or not, in a folder and name it:",
            "     --data-dir FOLDER (in Python data_dir=FOLDER)",
            *wanted,
            f"  2. set the environment variable {VARIABLE} to that folder;",
            "  3. name no folder, connect to the internet and run again: the files are",
            "     downloaded to the cache.",
        ]
    )
