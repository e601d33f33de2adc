"""MNIST in every form in which people have it, and the other sets of its family."""

import gzip
import hashlib
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from minigan.data import forms, load_mnist, mnist
from minigan.data.idx import IdxError, encode_idx
from minigan.data.mnist import MNIST, MnistError, MnistFile, MnistSource

RNG = np.random.default_rng(0)
COUNTS = {"train": 7, "test": 4}
PIXELS = {split: RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8) for split, n in COUNTS.items()}
LABELS = {split: np.arange(n, dtype=np.uint8) for split, n in COUNTS.items()}
NAMES = {split: [file.name for file in MNIST.files[split]] for split in COUNTS}


def tiny_source():
    files = {}
    for split in COUNTS:
        arrays = zip(NAMES[split], (PIXELS[split], LABELS[split]), strict=True)
        files[split] = tuple(
            MnistFile(name, array.shape, hashlib.sha256(encode_idx(array)).hexdigest())
            for name, array in arrays
        )
    return MnistSource(files, ())


TINY = tiny_source()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """No variable, an empty cache."""
    monkeypatch.delenv(mnist.VARIABLE, raising=False)
    monkeypatch.setattr(mnist, "cache_dir", lambda: tmp_path / "cache")


def put_idx(folder, rename=lambda name: name, pack=gzip.compress, images=PIXELS, labels=LABELS):
    folder.mkdir(parents=True, exist_ok=True)
    for split in COUNTS:
        for name, array in zip(NAMES[split], (images[split], labels[split]), strict=True):
            path = folder / rename(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pack(encode_idx(array)))


def put_npz(folder, name="mnist.npz", **replaced):
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {f"x_{split}": PIXELS[split] for split in COUNTS}
    arrays |= {f"y_{split}": LABELS[split] for split in COUNTS}
    np.savez_compressed(folder / name, **(arrays | replaced))


def table(split, header=True, label="label", last=False, quote="", end="\n"):
    rows = np.column_stack([LABELS[split], PIXELS[split].reshape(len(LABELS[split]), -1)])
    names = [label, *(f"{i}x{j}" for i in range(1, 29) for j in range(1, 29))]
    lines = [names] * header + rows.tolist()
    if last:
        lines = [[*line[1:], line[0]] for line in lines]
    return "".join(",".join(f"{quote}{x}{quote}" for x in line) + end for line in lines)


def put_csv(folder, name="mnist_{}.csv", pack=bytes, encoding="utf-8", **options):
    folder.mkdir(parents=True, exist_ok=True)
    for split in COUNTS:
        text = table(split, **options).encode(encoding)
        (folder / name.format(split)).write_bytes(pack(text))


FORMS = {
    "torchvision's root": lambda f: put_idx(f / "MNIST" / "raw", pack=bytes),
    "torchvision's folder MNIST": lambda f: put_idx(f / "raw", pack=bytes),
    "a second download": lambda f: put_idx(f, lambda name: f"{name} (1).gz"),
    "a second download, dotted": lambda f: put_idx(
        f, lambda name: f"{name.replace('-idx', '.idx')}.gz (2)"
    ),
    "a folder that bears the file's name": lambda f: put_idx(f, lambda name: f"{name}/{name}"),
    "such a folder, dotted": lambda f: put_idx(
        f, lambda name: f"{name}/{name.replace('-idx', '.idx')}", pack=bytes
    ),
    "capital letters": lambda f: put_idx(f, str.upper),
    "Keras": put_npz,
    "Keras, labels of another type": lambda f: put_npz(
        f, **{f"y_{split}": LABELS[split].astype("int64") for split in COUNTS}
    ),
    "a second download of Keras's": lambda f: put_npz(f, "mnist (1).npz"),
    "Kaggle": put_csv,
    "without a header": lambda f: put_csv(f, header=False),
    "named train.csv": lambda f: put_csv(f / "mnist", "{}.csv"),
    "gzipped": lambda f: put_csv(f, "mnist_{}.csv.gz", gzip.compress),
    "of a spreadsheet": lambda f: put_csv(f, encoding="utf-8-sig", quote='"', end="\r\n"),
    "written as floats": lambda f: put_csv(f, end=".0\n", header=False),
    "the label last": lambda f: put_csv(f, label="class", last=True),
}


def check(split, loaded):
    images, labels = loaded
    assert images.shape == (COUNTS[split], 28, 28, 1) and images.dtype == np.float32
    assert labels.shape == (COUNTS[split],) and labels.dtype == np.int64
    np.testing.assert_array_equal(np.rint((images[..., 0] + 1) * 127.5), PIXELS[split])
    np.testing.assert_array_equal(labels, LABELS[split])


@pytest.mark.parametrize("split", COUNTS)
@pytest.mark.parametrize("put", FORMS.values(), ids=FORMS)
def test_each_form(tmp_path, put, split):
    put(tmp_path / "data")
    check(split, load_mnist(split, tmp_path / "data", source=TINY))


@pytest.mark.parametrize("split", COUNTS)
def test_the_file_itself_is_a_place(tmp_path, split):
    put_npz(tmp_path)
    put_csv(tmp_path)
    check(split, load_mnist(split, tmp_path / "mnist.npz", source=TINY))
    check(split, load_mnist(split, tmp_path / f"mnist_{split}.csv", source=TINY))


def test_a_sound_copy_beside_a_broken_file_is_taken(tmp_path):
    """Why else would there be a second download?"""
    put_idx(tmp_path, lambda name: f"{name}.gz", lambda content: gzip.compress(content)[:-9])
    with pytest.raises(MnistError, match="truncated gzip file"):
        load_mnist("train", tmp_path, source=TINY)
    put_idx(tmp_path, lambda name: f"{name} (1).gz")
    check("train", load_mnist("train", tmp_path, source=TINY))


@pytest.mark.parametrize("put", [put_npz, put_csv])
@pytest.mark.parametrize("role", ["images", "labels"])
def test_other_forms_are_verified_like_idx_files(tmp_path, monkeypatch, put, role):
    array = (PIXELS if role == "images" else LABELS)["train"].copy()
    array.flat[3] ^= 1
    changed = PIXELS if role == "images" else LABELS
    monkeypatch.setitem(changed, "train", array)
    put(tmp_path)
    digest = hashlib.sha256(encode_idx(array)).hexdigest()
    with pytest.raises(MnistError, match=f"bad checksum: .*{digest}"):
        load_mnist("train", tmp_path, source=TINY)


def test_the_message_lists_what_lies_in_the_folder(tmp_path):
    (tmp_path / "mnist").mkdir()
    (tmp_path / "archive.zip").touch()
    for i in range(30):
        (tmp_path / "mnist" / f"image{i:02}.png").touch()
    with pytest.raises(MnistError) as caught:
        load_mnist("train", tmp_path, source=TINY)
    message = str(caught.value)
    assert f"In {tmp_path} lies: archive.zip, mnist/\n" in message
    assert f"In {tmp_path / 'mnist'} lies: image00.png, image01.png, " in message
    assert "image11.png, and 18 more\n" in message
    with pytest.raises(MnistError, match=f"In {tmp_path}/archive.zip lies: it is a file\n"):
        load_mnist("train", tmp_path / "archive.zip", source=TINY)
    with pytest.raises(MnistError, match=r"data_dir, which is no folder"):
        load_mnist("train", tmp_path / "nowhere", source=TINY)


def test_what_is_missing_is_named(tmp_path):
    put_idx(tmp_path)
    (tmp_path / NAMES["train"][1]).unlink()
    with pytest.raises(MnistError, match=r"^mnist: the labels of the split 'train' are not"):
        load_mnist("train", tmp_path, source=TINY)


# Files that are not what they should be -----------------------------------------------------


def forged(tmp_path, descr, shape):
    """An npz whose header promises more than there is, or something else."""
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    with zipfile.ZipFile(tmp_path / "mnist.npz", "w") as archive:
        for key in ("x_train", "y_train"):
            archive.writestr(f"{key}.npy", npy)


NPZ = {
    "empty": (lambda p: (p / "mnist.npz").touch(), "not a usable npz file"),
    "text": (
        lambda p: (p / "mnist.npz").write_text("<html>", encoding="utf-8"),
        "not a usable npz file",
    ),
    "cut off": (
        lambda p: (put_npz(p), (p / "mnist.npz").write_bytes((p / "mnist.npz").read_bytes()[:-99])),
        "not a usable npz file",
    ),
    "other keys": (
        lambda p: np.savez(p / "mnist.npz", images=1, labels=2),
        "expected x_train and y_train, found images, labels",
    ),
    "objects": (lambda p: put_npz(p, y_train=np.array([None] * 7)), "allow_pickle"),
    "floats": (lambda p: put_npz(p, x_train=PIXELS["train"] / 255), "holds float64 of shape"),
    "rows": (lambda p: put_npz(p, x_train=PIXELS["train"].reshape(7, -1)), r"\(7, 784\), exp"),
    "huge": (lambda p: forged(p, "'|u1'", "(99999999999999,)"), "not a usable npz file"),
    "hostile": (lambda p: forged(p, "(" * 9999, "(1,)"), "not a usable npz file"),
}


@pytest.mark.parametrize("make, reason", NPZ.values(), ids=NPZ)
def test_npz_files_that_cannot_be_used(tmp_path, make, reason):
    make(tmp_path)
    with pytest.raises(MnistError, match=reason) as caught:
        load_mnist("train", tmp_path, source=TINY)
    assert str(tmp_path / "mnist.npz") in str(caught.value)


def test_an_npz_that_expands_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(forms, "MAX_BYTES", 1000)
    put_npz(tmp_path)
    with pytest.raises(IdxError, match=r"bytes of content are above 1000"):
        forms.read_npz(tmp_path / "mnist.npz", "train")


ROW = "1" + ",0" * 784 + "\n"
CSV = {
    "empty": ("", "holds no rows"),
    "header only": ("label," + ",".join(f"p{i}" for i in range(784)) + "\n", "holds no rows"),
    "no labels": (ROW[2:], "expected a label and 784 pixels per row, got 784 columns"),
    "too large": (
        ROW.replace(",0\n", ",256\n"),
        "images: expected whole numbers from 0 to 255, got 256",
    ),
    "negative": (ROW.replace(",0\n", ",-1\n"), "images: expected .* got -1"),
    "not a number": (ROW.replace(",0\n", ",nan\n"), "images: expected .* got nan"),
    "fractions": (ROW.replace(",0\n", ",0.5\n"), "images: expected whole numbers .* got 0.5"),
    "uneven": (ROW + ROW[2:], "number of columns changed"),
    "html": ("<!doctype html>\n<title>Log in</title>\n", "'<title>Log in</title>'"),
    "one line": ("1," * 50_000, "."),
    "binary": ("\x00\x01\x02", "."),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("text, reason", CSV.values(), ids=CSV)
def test_csv_files_that_cannot_be_used(tmp_path, text, reason, pack):
    (tmp_path / "train.csv").write_bytes(pack(text.encode()))
    with pytest.raises(MnistError, match=reason) as caught:
        load_mnist("train", tmp_path, source=TINY)
    assert str(tmp_path / "train.csv") in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff\xfe1,2\n", gzip.compress(ROW.encode())[:-9]])
def test_csv_files_that_are_damaged(tmp_path, content):
    (tmp_path / "train.csv").write_bytes(content)
    with pytest.raises(MnistError, match=r"train\.csv: "):
        load_mnist("train", tmp_path, source=TINY)


def test_a_csv_that_expands_without_end_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(forms, "MAX_BYTES", 3 * len(ROW))
    (tmp_path / "train.csv").write_bytes(gzip.compress(ROW.encode() * 9))
    with pytest.raises(IdxError, match="more than"):
        forms.read_csv(tmp_path / "train.csv")


STRANGE_LABELS = {
    "text": (np.array(list("abcdefg")), "cat"),
    "floats": (np.arange(7.0), "5.5"),
    "booleans": (np.arange(7) < 3, "True"),
    "negative": (np.arange(7) - 1, "-1"),
    "large": (np.arange(7) + 250, "256"),
}


@pytest.mark.parametrize("labels, word", STRANGE_LABELS.values(), ids=STRANGE_LABELS)
def test_strange_labels_are_called_labels(tmp_path, labels, word):
    put_npz(tmp_path / "npz", y_train=labels)
    with pytest.raises(MnistError, match=r"labels: expected (whole numbers|numbers from 0 to 255)"):
        load_mnist("train", tmp_path / "npz", source=TINY)
    for header in ("", "label" + ",p" * 784 + "\n"):
        (tmp_path / "train.csv").write_text(header + ROW.replace("1", word, 1), encoding="utf-8")
        with pytest.raises(MnistError, match=f"labels: expected whole numbers.*{word}"):
            load_mnist("train", tmp_path, source=TINY)


# The family --------------------------------------------------------------------------------------

OTHER = {split: 255 - PIXELS[split] for split in COUNTS}


def put_other(folder, rename=lambda name: name, images=OTHER, **options):
    put_idx(folder, rename, images=images, **options)


def letters(name):
    """As EMNIST and QMNIST call their files."""
    return name.replace("t10k", "test")


PLACES = {
    "the folder": ("fashion-mnist", "", lambda name: name),
    "a sub-folder": ("fashion-mnist", "fashion-mnist", lambda name: f"{name}.gz"),
    "torchvision's": ("fashion-mnist", "FashionMNIST/raw", lambda name: name),
    "KMNIST": ("kmnist", "KMNIST/raw", lambda name: name),
    "QMNIST": ("qmnist", "", lambda name: f"qmnist-{letters(name)}.gz"),
    "one's own": ("threes and sevens", "threes and sevens", lambda name: name),
}


@pytest.mark.parametrize("split", COUNTS)
@pytest.mark.parametrize("name, place, rename", PLACES.values(), ids=PLACES)
def test_other_sets_by_their_shapes(tmp_path, capsys, name, place, rename, split):
    """The digests are shown, since nobody has checked them."""
    put_idx(tmp_path / "mnist")  # not these
    if place:
        put_idx(tmp_path)  # nor these
    put_other(tmp_path / place, rename)
    images, labels = load_mnist(split, tmp_path, name=name, source=TINY)
    np.testing.assert_array_equal(np.rint((images[..., 0] + 1) * 127.5), OTHER[split])
    np.testing.assert_array_equal(labels, LABELS[split])
    shown = capsys.readouterr().err
    for array in (OTHER[split], LABELS[split]):
        assert hashlib.sha256(encode_idx(array)).hexdigest() in shown


@pytest.mark.parametrize("put", [put_npz, put_csv])
def test_other_sets_in_other_forms(tmp_path, monkeypatch, put):
    put_idx(tmp_path)
    monkeypatch.setitem(PIXELS, "train", OTHER["train"])
    put(tmp_path / "fashion-mnist")
    images, _ = load_mnist("train", tmp_path, name="fashion-mnist", source=TINY)
    np.testing.assert_array_equal(np.rint((images[..., 0] + 1) * 127.5), OTHER["train"])


@pytest.mark.parametrize("named_by", ["variable", "cache"])
def test_other_sets_have_a_folder_of_their_own(tmp_path, monkeypatch, named_by):
    """Or MNIST would be taken for them, where MINIGAN_DATA is MNIST's folder."""
    if named_by == "variable":
        monkeypatch.setenv(mnist.VARIABLE, str(tmp_path / "cache"))
    put_idx(tmp_path / "cache")
    with pytest.raises(MnistError, match="fashion-mnist: the images and labels"):
        load_mnist("train", name="fashion-mnist", source=TINY)
    put_other(tmp_path / "cache" / "fashion-mnist")
    images, _ = load_mnist("train", name="fashion-mnist", source=TINY)
    np.testing.assert_array_equal(np.rint((images[..., 0] + 1) * 127.5), OTHER["train"])


def test_mnist_under_another_name_is_shown(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(mnist, "MNIST", TINY)
    put_idx(tmp_path)
    load_mnist("train", tmp_path, name="fashion-mnist", source=TINY)
    assert "(that of MNIST's train-images-idx3-ubyte)" in capsys.readouterr().err


def test_emnist_is_set_upright(tmp_path):
    """In its files, images are mirrored at the diagonal."""
    lying = {split: PIXELS[split].swapaxes(1, 2) for split in COUNTS}
    many = {split: LABELS[split] + 20 for split in COUNTS}  # letters
    rename = lambda name: f"emnist-letters-{letters(name)}.gz"  # noqa: E731
    put_idx(tmp_path / "EMNIST" / "raw", rename, images=lying, labels=many)
    for split in COUNTS:
        images, labels = load_mnist(split, tmp_path, name="emnist-letters", source=TINY)
        np.testing.assert_array_equal(np.rint((images[..., 0] + 1) * 127.5), PIXELS[split])
        np.testing.assert_array_equal(labels, many[split])
        assert images.flags.c_contiguous


def test_qmnists_labels_hold_more_than_the_digit(tmp_path):
    put_idx(tmp_path, lambda name: f"qmnist-{letters(name)}")
    for split, name in (("train", "train"), ("test", "test")):
        rows = np.zeros((COUNTS[split], 8), np.int32)
        rows[:, 0] = LABELS[split]
        (tmp_path / f"qmnist-{name}-labels-idx1-ubyte").unlink()
        path = tmp_path / f"qmnist-{name}-labels-idx2-int.gz"
        path.write_bytes(gzip.compress(encode_idx(rows)))
        _, labels = load_mnist(split, tmp_path, name="qmnist", source=TINY)
        np.testing.assert_array_equal(labels, LABELS[split])


@pytest.mark.parametrize(
    "images, labels, reason",
    [
        (PIXELS["train"][:3], LABELS["train"], "expected a label per image, got 7 for 3"),
        (PIXELS["train"][:, :27], LABELS["train"], r"\(7, 27, 28\), expected uint8 of .*\(N, 28"),
        (PIXELS["train"].astype("f4"), LABELS["train"], "float32 of shape"),
        (PIXELS["train"], LABELS["train"].astype("f4"), "labels: expected whole numbers"),
    ],
)
def test_other_sets_have_mnists_shapes(tmp_path, images, labels, reason):
    put_idx(tmp_path, images={**PIXELS, "train": images}, labels={**LABELS, "train": labels})
    with pytest.raises(MnistError, match=reason):
        load_mnist("train", tmp_path, name="my-digits", source=TINY)


def test_other_sets_are_not_called_broken(tmp_path):
    """Fashion-MNIST has MNIST's names and shapes: it is told how to load it."""
    put_other(tmp_path)
    with pytest.raises(MnistError, match=r"bad checksum.*another set.*name=\"fashion-mnist\"") as e:
        load_mnist("train", tmp_path, source=TINY)
    assert "is broken" not in str(e.value)
    subset = {split: array[:2] for split, array in PIXELS.items()}
    put_idx(tmp_path, images=subset)
    with pytest.raises(MnistError, match=r"\(2, 28, 28\), expected .*a subset.*name="):
        load_mnist("train", tmp_path, source=TINY)


def test_other_sets_are_not_downloaded(tmp_path):
    with pytest.raises(MnistError, match="no, since minigan knows no mirror of fashion-mnist"):
        load_mnist("train", name="fashion-mnist", source=TINY)
    assert not list(Path(tmp_path).iterdir())


@pytest.mark.parametrize("name", ["a[b", "(", "../x", "", "."])
def test_any_name_will_do(tmp_path, name):
    put_other(tmp_path)
    load_mnist("train", tmp_path, name=name, source=TINY)
    with pytest.raises(MnistError, match=re.escape(f"{name}: the images")):
        load_mnist("train", name=name, source=TINY)
