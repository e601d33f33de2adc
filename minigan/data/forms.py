"""The files in which people have MNIST, and sets of its family (Fashion-MNIST, EMNIST, QMNIST).

    train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte      as published, gzipped or not (`idx.py`)
    emnist-letters-test-images-idx3-ubyte                   with the set's name before it
    mnist.npz                                               Keras: x_train, y_train, x_test, y_test
    mnist_train.csv, train.csv                              Kaggle: a label and 784 pixels per row

Second downloads (`x (1).gz`) count too, and a folder that bears a file's name and holds the file,
as some programs unpack it. `forms` finds these files by their names and says how to read them;
whether the content is right is for `mnist.py` to check.
"""

import contextlib
import io
import re
import zipfile
from functools import partial
from itertools import chain
from os.path import isfile

import numpy as np

from minigan.data.idx import IdxError, open_content, read_idx

__all__ = ["PIXELS", "forms", "places_in", "read_csv", "read_npz"]

PIXELS = (28, 28)
ROLES = ("images", "labels")
WORDS = {"train": "train", "test": "(?:t10k|test)"}  # a split, in the names of files
COPY = r"(?: ?\(\d+\))?"
MAX_BYTES = 1 << 30  # of a file's content: five times the largest CSV file of MNIST
MAX_ROW = 1 << 14  # characters: 785 numbers of three digits have 3,140


def places_in(folder, name, itself):
    """Where files of the set may lie: sub-folders that bear its name, and `folder` `itself`.

    Each also in its `raw`. For MNIST, whose files can be told from others, in this order: folder
    first; for others last.
    """
    wanted = {_letters(name)} | ({"emnist"} if name.startswith("emnist-") else set())
    inside = [entry for entry in _entries(folder) if _letters(entry.name) in wanted]
    own = [folder] if itself else []
    order = [*own, *inside] if name == "mnist" else [*inside, *own]
    return [path for place in order for path in (place, place / "raw")]


def _letters(name):
    """FashionMNIST, fashion-mnist and Fashion_MNIST are one name."""
    return re.sub("[-_ ]", "", name.lower())


def forms(places, split, name):
    """Triples (path, roles, read) of the files in `places` that may hold images or labels.

    places: folders, or files. name: of the set. roles: "images", "labels" or both; read(path)
    gives a dict with an array for each, and raises IdxError or OSError. Earlier places come
    first, and in each, files as published before other forms.
    """
    sets = rf"(?:{re.escape(name)}|mnist)"
    start = rf"(?:{sets}[-_])?{WORDS[split]}"
    tail = rf"(?:-[0-9a-f]{{8}})?{COPY}(?:\.gz)?{COPY}"  # eight digits: see `mnist._download`
    names = [
        (rf"{start}-images[-.]idx3-ubyte{tail}", ROLES[:1], _read_images),
        (rf"{start}-labels[-.]idx[12]-(?:ubyte|int){tail}", ROLES[1:], _read_labels),
        (rf"{sets}{COPY}\.npz", ROLES, partial(read_npz, split=split)),
        (rf"{start}{COPY}\.csv(?:\.gz)?", ROLES, read_csv),
    ]
    return [
        (path, roles, read)
        for place in places
        for pattern, roles, read in names
        for entry in _named(place, pattern)
        for path in _named(entry, pattern)
        if isfile(path)
    ]


def _named(place, pattern):
    """What has a name of that pattern in a folder; or `place` itself, if it is such a file."""
    entries = [place] if isfile(place) else _entries(place)
    return [entry for entry in entries if re.fullmatch(pattern, entry.name, re.IGNORECASE)]


def _entries(folder):
    """What lies in a folder, sorted by name; nothing if it is none or may not be looked into."""
    with contextlib.suppress(OSError):
        return sorted(folder.iterdir(), key=lambda path: (len(path.name), path.name))
    return []


def _read_images(path):
    return {"images": read_idx(path, ndim=3)}


def _read_labels(path):
    """Of QMNIST's labels (N, 8), the first of each row is the digit."""
    labels = read_idx(path)
    return {"labels": labels[:, 0] if labels.ndim == 2 and labels.shape[1] else labels}


def read_npz(path, split):
    """Images x_train and labels y_train (or x_test, y_test) in a file of `numpy.savez`.

    Raises IdxError if the file is not whole or does not hold them; nothing in it is unpickled.
    """
    keys = {role: f"{letter}_{split}" for role, letter in zip(ROLES, "xy", strict=True)}
    try:
        with zipfile.ZipFile(path) as members:
            size = sum(member.file_size for member in members.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"{size} bytes of content are above {MAX_BYTES}")
        with np.load(path, allow_pickle=False) as archive:
            absent = set(keys.values()) - set(archive.files)
            if absent:
                held = ", ".join(archive.files) or "nothing"
                raise ValueError(f"expected {' and '.join(sorted(keys.values()))}, found {held}")
            return {role: archive[key] for role, key in keys.items()}
    except OSError:
        raise
    except Exception as error:  # NumPy answers a damaged header with almost any
        raise IdxError(path, f"not a usable npz file: {error}") from error


def read_csv(path):
    """Images and labels in a CSV file, gzipped or not, of a label and 784 pixels per row.

    The label stands first, or where a header line says "label" or "class". Raises IdxError, which
    speaks of labels where they are no whole numbers.
    """
    with open_content(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace")
        first = text.readline(MAX_ROW)
        header = [field.strip(' "\n').lower() for field in first.split(",")]
        if any(field.isdigit() for field in header):  # a row: a header has no number
            header = []
        else:
            first = text.readline(MAX_ROW)
        if not first.strip():
            raise IdxError(path, "holds no rows")
        where = next((header.index(word) for word in ("label", "class") if word in header), 0)
        try:
            # As floats: for integers, NumPy 2.0 makes 0 of 256, in silence.
            rows = np.loadtxt(
                chain([first], _lines(text)), np.float32, delimiter=",", quotechar='"', ndmin=2
            )
        except ValueError as error:
            if f", column {where + 1}." in str(error):
                error = f"labels: expected whole numbers; {error}"
            raise IdxError(path, error) from None
    if rows.shape[1] != 1 + np.prod(PIXELS):
        raise IdxError(
            path, f"expected a label and 784 pixels per row, got {rows.shape[1]} columns"
        )
    columns = {"images": np.delete(rows, where, axis=1), "labels": rows[:, where]}
    for role, values in columns.items():
        wrong = values[~((values >= 0) & (values <= 255) & (values % 1 == 0))]  # also NaN
        if wrong.size:
            raise IdxError(path, f"{role}: expected whole numbers from 0 to 255, got {wrong[0]:g}")
        columns[role] = values.astype(np.uint8)
    return columns | {"images": columns["images"].reshape(-1, *PIXELS)}


def _lines(text):
    """The lines that are left, as long as they are not too long, all together or one alone."""
    left = MAX_BYTES
    while left > 0 and (line := text.readline(MAX_ROW)):
        left -= len(line)
        yield line
    if left <= 0:
        raise ValueError(f"more than {MAX_BYTES} characters")
