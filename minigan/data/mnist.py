"""MNIST: 28 x 28 images of handwritten digits, 60,000 for training and 10,000 for testing.

Read `load_mnist` first, then `_load`, which is the search: a folder that you name (argument or
environment variable), else your cache, else a download to the cache. A folder that you name is
taken at its word: if the files in it are missing or broken you are told so, and nothing else is
tried in its place. In which forms the files may come, `forms.py` knows.

MNIST is verified by the SHA-256 of its *uncompressed* idx files, whatever form it comes in, so
training never starts on damaged data. Sets that are made like it (Fashion-MNIST, EMNIST, QMNIST,
a subset) have other digests, often under the same file names: they are loaded by their `name`.
Nothing that somebody else wrote is ever replaced or removed, in the cache neither.
"""

import hashlib
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigan.data.download import DownloadError
from minigan.data.download import download as fetch
from minigan.data.forms import PIXELS, forms, places_in
from minigan.data.idx import IdxError, encode_idx, read_idx
from minigan.files import expanded

__all__ = ["MNIST", "MnistError", "MnistFile", "MnistSource", "cache_dir", "load_mnist"]

VARIABLE = "MINIGAN_DATA"
MAX_BYTES = 64 << 20  # no file is larger; the training images have 47 MB
SHOWN = 12  # names of a folder's content in a message


class MnistError(RuntimeError):
    """MNIST is missing or broken, or has no place; the message says what to do."""


@dataclass(frozen=True)
class MnistFile:
    """One idx file of bytes: its name without .gz, its shape, the SHA-256 of its content.

    A length of None in the shape and a digest of None stand for any.
    """

    name: str
    shape: tuple
    sha256: str | None

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


DIGESTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


def _split(word, count):
    shapes = {f"{word}-images-idx3-ubyte": (count, *PIXELS), f"{word}-labels-idx1-ubyte": (count,)}
    return tuple(MnistFile(name, shape, DIGESTS[name]) for name, shape in shapes.items())


MNIST = MnistSource(
    files={"train": _split("train", 60_000), "test": _split("t10k", 10_000)},
    mirrors=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://raw.githubusercontent.com/fgnt/mnist/master/",
    ),
)


def load_mnist(
    split="train", data_dir=None, download=True, *, dtype=np.float32, name="mnist", source=MNIST
):
    """The images and labels of the split "train" or "test", as a pair of arrays.

    images: (N, 28, 28, 1) of `dtype`, float32 or float64: pixel / 127.5 − 1, from −1 (background)
    to 1 (ink). labels: (N,) int64, the digits 0 to 9.

    The files are taken from the folder `data_dir`; without it from the folder in the environment
    variable MINIGAN_DATA; without that from `cache_dir()`, to which they are downloaded if
    `download` allows it. In each folder they may also lie in a sub-folder that bears the set's
    name, or in its `raw`, as torchvision puts them.

    name: of another set of this family, say "fashion-mnist", "emnist-letters" or "qmnist"; any
    name will do for files of your own. Its files are taken for what their shapes say, and their
    digests are printed to stderr. They lie in `data_dir`, or in a sub-folder of the set's name
    there, in MINIGAN_DATA or in the cache; they are not downloaded. EMNIST's images, which lie on
    their side in its files, are set upright. source: names, shapes, digests and mirrors of
    MNIST's files.

    Raises MnistError if the files are missing or broken and could not be downloaded, ValueError
    for an unknown split or dtype.
    """
    if split not in source.files:
        raise ValueError(f"split: expected one of {list(source.files)}, got {split!r}")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype: expected float32 or float64, got {np.dtype(dtype)}")
    arrays = _load(split, data_dir, download, name, source)
    pixels, labels = arrays["images"], arrays["labels"]
    if len(pixels) != len(labels):
        raise MnistError(f"{name}: expected a label per image, got {len(labels)} for {len(pixels)}")
    if name.startswith("emnist"):
        pixels = pixels.swapaxes(1, 2)
    images = pixels[..., np.newaxis].astype(dtype, order="C")
    images /= 127.5
    images -= 1
    return images, labels.astype(np.int64)


def cache_dir():
    """The folder where minigan keeps downloaded files, by the custom of the operating system.

    Raises MnistError where there is no home folder to keep them in.
    """
    if sys.platform == "win32":
        base, default = os.environ.get("LOCALAPPDATA", ""), ("AppData", "Local")
    elif sys.platform == "darwin":
        base, default = "", ("Library", "Caches")
    else:
        base, default = os.environ.get("XDG_CACHE_HOME", ""), (".cache",)
    # Of XDG_CACHE_HOME its specification says that a relative path is to be ignored.
    folder = Path(base) if os.path.isabs(base) else _home("~").joinpath(*default)
    return folder / "minigan"


def _load(split, data_dir, download, name, source):
    """The arrays {"images": ..., "labels": ...}: from a folder, the cache or a mirror."""
    files = dict(zip(("images", "labels"), source.files[split], strict=True))
    if name != "mnist":  # the same names and pixels, but any number of them and any content
        for role, file in files.items():
            files[role] = MnistFile(file.name, (None, *file.shape[1:]), None)
    folder, named_by = _folder(data_dir)
    why_not = (
        (named_by and "no, since a folder was named")
        or (name != "mnist" and f"no, since minigan knows no mirror of {name}")
        or (not download and "no, since download=False")
    )
    # In MINIGAN_DATA and in the cache, the files of other sets lie in a folder of their own, or
    # MNIST's would be taken for them.
    places = places_in(folder, name, itself=name == "mnist" or named_by == "data_dir")
    arrays, problems = _search(places, split, name, files)
    missing = {role: file for role, file in files.items() if role not in arrays}
    reasons = [text for roles, text in problems if missing.keys() & set(roles)]
    looked = _looked(folder, named_by, places, reasons)
    if missing and why_not:
        unavailable = _unavailable(split, name, source, missing, looked, why_not)
        raise MnistError("\n".join(reasons) or unavailable)
    if reasons:
        warnings.warn("\n".join([*reasons, "Downloading it."]), RuntimeWarning, stacklevel=3)
    for role, file in missing.items():
        try:
            arrays[role] = _download(folder / name, role, file, source.mirrors)
        except (DownloadError, OSError) as error:
            # "from None": the message says all; the chain of causes would bury it.
            text = _unavailable(split, name, source, missing, looked, error)
            raise MnistError(text) from None
    return arrays


def _folder(data_dir):
    """The folder to look in, and by what it was named: None for the cache."""
    if data_dir is not None:
        return _home(data_dir), "data_dir"
    if os.environ.get(VARIABLE):
        return _home(os.environ[VARIABLE]), VARIABLE
    return cache_dir(), None


def _home(path):
    """`path` with its ~ expanded; MnistError where there is no home folder."""
    try:
        return expanded(path)
    except FileNotFoundError as error:
        raise MnistError(
            f"no folder for data: {error}; or name a folder that holds the files: --data-dir "
            f"FOLDER (in Python data_dir=FOLDER), or the environment variable {VARIABLE}"
        ) from None


def _download(folder, role, file, mirrors):
    """The array of one file, downloaded to the cache.

    With eight digits of its digest in its name it is nobody else's, and may be replaced if it is
    ever damaged.
    """
    target = folder / f"{file.name}-{file.sha256[:8]}.gz"
    urls = [f"{mirror}{file.name}.gz" for mirror in mirrors]
    fetch(urls, target, file.sha256, max_bytes=MAX_BYTES)
    return _checked(target, role, read_idx(target), file)


def _search(places, split, name, files):
    """Of `files`, role -> MnistFile, the arrays that are right; and what is wrong with others.

    Returns a dict role -> array, and pairs (roles, text). The first file that is right is taken.
    """
    arrays, problems = {}, []
    for path, roles, read in forms(places, split, name):
        wanted = [role for role in roles if role in files and role not in arrays]
        if not wanted:
            continue
        advice = " (this file is broken: replace or remove it)"
        try:
            found, advice = read(path), ""  # what is read is whole, if perhaps of another set
            arrays |= {role: _checked(path, role, found[role], files[role]) for role in wanted}
        except IdxError as error:
            problems.append((wanted, f"{error}{advice}"))
        except OSError as error:
            problems.append((wanted, f"{path}: cannot be read: {error}"))
    return arrays, problems


def _checked(path, role, array, file):
    """The array as uint8; IdxError if it is not what `file` says."""
    expected = "uint8 of shape " + str(file.shape).replace("None", "N")
    found = f"{array.dtype} of shape {array.shape}"
    if role == "labels":
        if array.dtype.kind not in "iu":
            raise IdxError(path, f"labels: expected whole numbers (N,), got {found}")
        if array.size and not 0 <= array.min() <= array.max() <= 255:
            bounds = f"{array.min()} to {array.max()}"
            raise IdxError(path, f"labels: expected numbers from 0 to 255, got {bounds}")
        array = array.astype(np.uint8)
    fits = array.ndim == len(file.shape) and all(
        want in (None, length) for want, length in zip(file.shape, array.shape, strict=True)
    )
    if array.dtype != np.uint8 or not fits:
        raise IdxError(path, f"holds {found}, expected {expected}{_advice(file)}")
    digest = hashlib.sha256(encode_idx(array)).hexdigest()
    if file.sha256 is None:
        known = {known.sha256: known.name for pair in MNIST.files.values() for known in pair}
        same = f" (that of MNIST's {known[digest]})" if digest in known else ""
        print(f"{path}: {role}, {found}, SHA-256 {digest}{same}", file=sys.stderr)
    elif digest != file.sha256:
        text = f"bad checksum: SHA-256 of the uncompressed content is {digest}"
        raise IdxError(path, f"{text}, expected {file.sha256}{_advice(file)}")
    return array


def _advice(file):
    """What it means that a sound file is not the one of MNIST."""
    if file.sha256 is None:
        return ""
    return (
        " (the file is damaged, or of another set or a subset: if that is the one you want, give "
        'its name, as in load_mnist(split, FOLDER, name="fashion-mnist"); minigan leaves the '
        "file as it is)"
    )


def _looked(folder, named_by, places, reasons):
    """Lines that say where was looked, and what was found there."""
    by = named_by or f"the cache; neither data_dir nor {VARIABLE} names a folder"
    absent = "" if os.path.exists(folder) or not named_by else ", which is no folder"
    return [
        f"In this folder and its sub-folders: {folder} ({by}{absent})",
        *(f"Found: {reason}" for reason in reasons),
        *(f"In {place} lies: {_content(place)}" for place in places if os.path.exists(place)),
    ]


def _unavailable(split, name, source, missing, looked, download):
    """The message about files that are `missing`, role -> MnistFile."""
    published = [file.name for file in missing.values()]
    names = [f"{name}, {name}.gz, {name.replace('-idx', '.idx')}" for name in published]
    lines = [
        f"{name}: the {' and '.join(missing)} of the split {split!r} are not available.",
        f"Looked for: {', '.join(names)};",
        f"  for both in one file: {name}.npz (Keras) and mnist_{split}.csv (Kaggle)",
        *looked,
        f"Download: {download}",
        "What to do, one of:",
        "  1. put these files, each gzipped (.gz) or not, in a folder and name it:",
        "     --data-dir FOLDER (in Python data_dir=FOLDER)",
        *(f"     {file.name}" for pair in source.files.values() for file in pair),
    ]
    if name == "mnist":
        lines += [
            f"  2. set the environment variable {VARIABLE} to that folder;",
            "  3. name no folder, connect to the internet and run again: the files are",
            "     downloaded to the cache.",
        ]
    else:
        lines.append(f"  2. put them in {name} in the folder of {VARIABLE}.")
    return "\n".join(lines)


def _content(folder):
    """The names of what lies in a folder, or of a file."""
    if os.path.isfile(folder):
        return "it is a file"
    try:
        names = sorted(path.name + "/" * os.path.isdir(path) for path in folder.iterdir())
    except OSError as error:
        return f"(cannot be looked into: {error.strerror})"
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    return ", ".join([*names[:SHOWN], *more]) or "nothing"
