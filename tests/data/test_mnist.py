"""MNIST: where it is looked for, what is refused, what the user is told; and the real files.

All but the last tests use a tiny data set of the same form, described by its own MnistSource.
"""

import gzip
import hashlib
import http.server
import os
import struct
import threading
from pathlib import Path

import numpy as np
import pytest

from minigan.data import forms, mnist
from minigan.data.mnist import MNIST, MnistError, MnistFile, MnistSource, cache_dir, load_mnist

NAMES = [file.name for split in ("train", "test") for file in MNIST.files[split]]
COUNTS = {"train": 7, "test": 4}
RNG = np.random.default_rng(0)
PIXELS = {split: RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8) for split, n in COUNTS.items()}
LABELS = {split: RNG.integers(0, 10, n, dtype=np.uint8) for split, n in COUNTS.items()}


def image_file(pixels):
    return struct.pack(">IIII", 2051, *pixels.shape) + pixels.tobytes()


def label_file(labels):
    return struct.pack(">II", 2049, *labels.shape) + labels.tobytes()


CONTENT = {}
for split in COUNTS:
    images_name, labels_name = (file.name for file in MNIST.files[split])
    CONTENT[images_name] = image_file(PIXELS[split])
    CONTENT[labels_name] = label_file(LABELS[split])


def tiny_source(*mirrors):
    files = {
        split: tuple(
            MnistFile(
                file.name,
                (COUNTS[split], *file.shape[1:]),
                hashlib.sha256(CONTENT[file.name]).hexdigest(),
            )
            for file in MNIST.files[split]
        )
        for split in COUNTS
    }
    return MnistSource(files, mirrors)


TINY = tiny_source()
IMAGES, TRAIN_LABELS = NAMES[:2]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A place without MNIST: no variable, an empty cache."""
    monkeypatch.delenv(mnist.VARIABLE, raising=False)
    monkeypatch.setattr(mnist, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path


def put(folder, suffix=".gz", compress=gzip.compress, dotted=False, **replaced):
    """Write the four files; `replaced` gives other bytes for images or labels of train."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in CONTENT.items():
        name_there = name.replace("-idx", ".idx") if dotted else name
        (folder / (name_there + suffix)).write_bytes(compress(content))
    for name, content in {IMAGES: "images", TRAIN_LABELS: "labels"}.items():
        if content in replaced:
            (folder / (name + suffix)).write_bytes(replaced[content])
    return folder


def check(split, loaded):
    images, labels = loaded
    assert images.shape == (COUNTS[split], 28, 28, 1) and images.dtype == np.float32
    assert labels.shape == (COUNTS[split],) and labels.dtype == np.int64
    expected = PIXELS[split].astype(np.float64) / 127.5 - 1
    np.testing.assert_allclose(images[..., 0], expected, rtol=0, atol=1.2e-7)
    np.testing.assert_array_equal(labels, LABELS[split])


@pytest.fixture
def mirrors(monkeypatch):
    """Two mirrors on this machine: the first answers 403 to all, the second has the files."""
    monkeypatch.setenv("no_proxy", "*")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.requests.append(self.path)
            place, name = self.path.strip("/").split("/")
            body = gzip.compress(CONTENT[name.removesuffix(".gz")]) if place == "alive" else b""
            self.send_response(200 if body else 403)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = []
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    server.dead, server.alive = url + "dead/", url + "alive/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def cached(name):
    """The name of a downloaded file: with a part of its digest."""
    return f"{name}-{hashlib.sha256(CONTENT[name]).hexdigest()[:8]}.gz"


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("place", ["", "mnist"])
@pytest.mark.parametrize(
    "suffix, compress", [("", bytes), (".gz", gzip.compress), ("", gzip.compress)]
)
@pytest.mark.parametrize("dotted", [False, True])
def test_named_folder(home, split, place, suffix, compress, dotted):
    put(home / "data" / place, suffix, compress, dotted)
    check(split, load_mnist(split, home / "data", source=TINY))
    check(split, load_mnist(split, str(home / "data"), download=False, source=TINY))


def test_scale_is_exact_at_the_ends_and_float64_on_demand(home):
    put(home / "data")
    images, _ = load_mnist("train", home / "data", dtype=np.float64, source=TINY)
    assert images.dtype == np.float64
    np.testing.assert_array_equal(images[..., 0], PIXELS["train"] / 127.5 - 1)
    images, _ = load_mnist("train", home / "data", source=TINY)
    pixels = PIXELS["train"][..., np.newaxis]
    assert set(images[pixels == 0]) == {-1.0} and set(images[pixels == 255]) == {1.0}


def test_order_argument_then_variable_then_cache(home, monkeypatch):
    """A folder is told from the others by the file that is broken in it."""
    for place in ("argument", "variable", "cache"):
        put(home / place, images=b"broken")

    def place_found(**options):
        with pytest.raises(MnistError, match="wrong magic number") as caught:
            load_mnist(download=False, source=TINY, **options)
        return Path(str(caught.value).split(": ")[0]).parent.name

    assert place_found() == "cache"
    monkeypatch.setenv(mnist.VARIABLE, str(home / "variable"))
    assert place_found() == "variable"
    assert place_found(data_dir=home / "argument") == "argument"
    monkeypatch.setenv(mnist.VARIABLE, "")  # as if it were not set
    assert place_found() == "cache"


ZIPPED = gzip.compress(CONTENT[IMAGES])
ALTERED = CONTENT[IMAGES][:-1] + bytes([CONTENT[IMAGES][-1] ^ 1])
BROKEN = {
    "empty": ("images", b"", "truncated header"),
    "truncated gzip": ("images", ZIPPED[:-100], "truncated gzip file"),
    "truncated": ("images", CONTENT[IMAGES][:-1], "truncated data: 5487 of 5488 bytes"),
    "wrong magic": ("images", b"\1" + CONTENT[IMAGES][1:], "wrong magic number"),
    "not gzip": ("images", b"<html></html>", "wrong magic number.* neither gzip"),
    "trailing": ("images", CONTENT[IMAGES] + b"\n", "trailing data"),
    "labels for images": ("images", CONTENT[TRAIN_LABELS], "dimensions: 1, expected 3"),
    "wrong count": ("images", CONTENT[NAMES[2]], r"\(4, 28, 28\), expected .*\(7, 28, 28\)"),
    "wrong type": ("labels", bytes([0, 0, 13, 1, 0, 0, 0, 1]) + bytes(4), "labels: expected whole"),
    "one bit": ("images", ALTERED, f"bad checksum: .*{hashlib.sha256(ALTERED).hexdigest()}"),
    "expected digest": ("images", ALTERED, f"expected {TINY.files['train'][0].sha256}"),
    "other labels": ("labels", label_file((LABELS["train"] + 1) % 10), "bad checksum"),
}


@pytest.mark.parametrize("named_by", ["argument", "variable"])
@pytest.mark.parametrize("which, content, reason", BROKEN.values(), ids=BROKEN.keys())
def test_broken_files_in_a_named_folder_are_named(
    home, mirrors, monkeypatch, named_by, which, content, reason
):
    """Neither a good cache nor a mirror stands in for them: the user said which folder."""
    put(home / "cache")
    folder = put(home / "data" / "mnist", **{which: content})
    data_dir = home / "data" if named_by == "argument" else None
    if data_dir is None:
        monkeypatch.setenv(mnist.VARIABLE, str(home / "data"))
    with pytest.raises(MnistError, match=reason) as caught:
        load_mnist("train", data_dir, source=tiny_source(mirrors.alive))
    name = IMAGES if which == "images" else TRAIN_LABELS
    assert str(folder / f"{name}.gz") in str(caught.value)
    assert mirrors.requests == []
    check("test", load_mnist("test", home / "data", source=TINY))  # its files are sound


@pytest.mark.parametrize("named_by", ["data_dir", "MINIGAN_DATA"])
@pytest.mark.parametrize("exists", [True, False])
def test_a_named_folder_without_the_files(home, mirrors, monkeypatch, named_by, exists):
    put(home / "cache")
    if exists:
        (home / "data").mkdir()
    data_dir = home / "data" if named_by == "data_dir" else None
    if data_dir is None:
        monkeypatch.setenv(mnist.VARIABLE, str(home / "data"))
    with pytest.raises(MnistError) as caught:
        load_mnist("test", data_dir, source=tiny_source(mirrors.alive))
    message = str(caught.value)
    for text in (
        str(home / "data"),
        named_by,
        NAMES[2],
        f"{NAMES[2]}.gz",
        "t10k-images.idx3-ubyte",
    ):
        assert text in message
    assert ("which is no folder" in message) == (not exists)
    assert mirrors.requests == []


def test_unreadable_file_is_named(home, monkeypatch):
    put(home / "data")

    def refuse(path, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(forms, "read_idx", refuse)
    with pytest.raises(MnistError, match=f"{IMAGES}.gz.*cannot be read.*Permission denied"):
        load_mnist("train", home / "data", source=TINY)


def test_dead_mirror_then_good_one_then_the_cache(home, mirrors):
    source = tiny_source(mirrors.dead, mirrors.alive)
    check("train", load_mnist(source=source))
    assert tree(home) == [f"cache/mnist/{cached(name)}" for name in sorted(NAMES[:2])]
    assert mirrors.requests[:2] == [f"/dead/{IMAGES}.gz", f"/alive/{IMAGES}.gz"]
    mirrors.requests.clear()
    check("train", load_mnist(source=source))
    check("train", load_mnist(download=False, source=TINY))
    assert mirrors.requests == []


def test_one_message_says_all_when_there_is_no_mnist(home, mirrors):
    """A single address that died (403) once left users with nothing but an HTTP error."""
    with pytest.raises(MnistError) as caught:
        load_mnist(source=tiny_source(mirrors.dead, mirrors.dead + "more"))
    message = str(caught.value)
    for text in [
        str(home / "cache"),
        f"{IMAGES}.gz",
        f"{mirrors.dead}{IMAGES}.gz: HTTP status 403 Forbidden",
        f"{mirrors.dead}more{IMAGES}.gz: HTTP status 403 Forbidden",
        "1. put these files",
        "--data-dir",
        "2. set the environment variable MINIGAN_DATA",
        "3. name no folder, connect to the internet",
        *NAMES,
    ]:
        assert text in message
    assert caught.value.__suppress_context__  # one message, no chain of tracebacks
    assert max(map(len, message.splitlines())) < 250
    assert tree(home) == []


def test_no_download_when_it_is_turned_off(home, mirrors):
    with pytest.raises(MnistError, match="download=False"):
        load_mnist(download=False, source=tiny_source(mirrors.alive))
    assert mirrors.requests == []


def test_cache_that_cannot_be_written(home, mirrors):
    (home / "cache").write_bytes(b"a file where the folder should be")
    with pytest.raises(MnistError, match=r"What to do"):
        load_mnist(source=tiny_source(mirrors.alive))
    assert mirrors.requests == []


OTHERS = {
    "broken": (ZIPPED[:-50], "truncated gzip file.*\nDownloading it"),
    "of another set": (gzip.compress(ALTERED), "bad checksum.*another set.*\nDownloading it"),
}


@pytest.mark.parametrize("place, suffix", [("mnist", ".gz"), ("mnist", ""), (".", ".gz")])
@pytest.mark.parametrize("content, reason", OTHERS.values(), ids=OTHERS)
def test_what_somebody_else_put_in_the_cache_is_left_there(
    home, mirrors, place, suffix, content, reason
):
    """It was replaced or removed, also where it was a whole file of Fashion-MNIST."""
    before = put(home / "cache" / place, suffix, images=content) / (IMAGES + suffix)
    source = tiny_source(mirrors.alive)
    with pytest.warns(RuntimeWarning, match=reason):
        loaded = load_mnist(source=source)
    check("train", loaded)
    assert mirrors.requests == [f"/alive/{IMAGES}.gz"]
    assert before.read_bytes() == content
    replacement = home / "cache" / "mnist" / cached(IMAGES)
    assert gzip.decompress(replacement.read_bytes()) == CONTENT[IMAGES]
    check("train", load_mnist(download=False, source=source))  # from now on without a word


def test_a_download_that_was_damaged_later_is_replaced(home, mirrors):
    own = home / "cache" / "mnist" / cached(IMAGES)
    own.parent.mkdir(parents=True)
    own.write_bytes(ZIPPED[:-50])
    with pytest.warns(RuntimeWarning, match="truncated gzip file.*\nDownloading it"):
        check("train", load_mnist(source=tiny_source(mirrors.alive)))
    assert gzip.decompress(own.read_bytes()) == CONTENT[IMAGES]
    assert len(tree(home)) == 2


def test_broken_file_in_the_cache_without_a_download(home, mirrors):
    broken = put(home / "cache" / "mnist", images=ALTERED) / f"{IMAGES}.gz"
    with pytest.raises(MnistError, match="bad checksum") as caught:
        load_mnist(download=False, source=TINY)
    assert str(broken) in str(caught.value)
    with pytest.warns(RuntimeWarning), pytest.raises(MnistError, match="bad checksum") as caught:
        load_mnist(source=tiny_source(mirrors.dead))
    assert str(broken) in str(caught.value) and "403" in str(caught.value)
    assert broken.read_bytes() == ALTERED  # it stays until there is something better


@pytest.mark.parametrize("arguments", [{"split": "valid"}, {"dtype": np.uint8}, {"dtype": ">f4"}])
def test_bad_arguments(home, arguments):
    with pytest.raises(ValueError, match=r"expected .* got"):
        load_mnist(**arguments, source=TINY)


def test_cache_dir_follows_the_system(monkeypatch, tmp_path):
    monkeypatch.setattr("os.path.expanduser", lambda path: str(path).replace("~", str(tmp_path)))
    base = str(tmp_path / "base")
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    monkeypatch.setenv("LOCALAPPDATA", base)
    for platform, expected in [
        ("linux", Path(base) / "minigan"),
        ("win32", Path(base) / "minigan"),
        ("darwin", tmp_path / "Library" / "Caches" / "minigan"),
    ]:
        monkeypatch.setattr("sys.platform", platform)
        assert cache_dir() == expected
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.delenv("LOCALAPPDATA")
    for platform, expected in [
        ("linux", tmp_path / ".cache" / "minigan"),
        ("win32", tmp_path / "AppData" / "Local" / "minigan"),
    ]:
        monkeypatch.setattr("sys.platform", platform)
        assert cache_dir() == expected


def test_all_mirrors_are_https_folders():
    assert len(MNIST.mirrors) >= 2
    assert all(url.startswith("https://") and url.endswith("/") for url in MNIST.mirrors)


# The real files: in MINIGAN_DATA (then they must be there), or in the cache of this user.

KNOWN = {  # how many of each digit 0 to 9; mean and standard deviation of the pixels in [0, 1]
    "train": ([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949], 0.1307, 0.3081),
    "test": ([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], 0.1325, 0.3105),
}


@pytest.mark.parametrize("split, count", [("train", 60_000), ("test", 10_000)])
def test_real_files(split, count):
    try:
        images, labels = load_mnist(split, download=False)
    except MnistError as error:
        if os.environ.get(mnist.VARIABLE):
            raise
        reason = str(error).splitlines()[0]
        pytest.skip(f"{reason} Set {mnist.VARIABLE} to a folder that holds the four files.")
    assert images.shape == (count, 28, 28, 1) and images.dtype == np.float32
    assert labels.shape == (count,) and labels.dtype == np.int64
    assert images.min() == -1 and images.max() == 1
    histogram, mean, deviation = KNOWN[split]
    assert np.bincount(labels).tolist() == histogram
    pixels = (images + 1) / 2
    assert pixels.mean(dtype=np.float64) == pytest.approx(mean, abs=1e-3)
    assert pixels.std(dtype=np.float64) == pytest.approx(deviation, abs=1e-3)


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a/b", "a/"])
def test_a_name_that_leaves_the_cache_is_refused(name):
    with pytest.raises(ValueError, match="expected the name of a file without a folder"):
        MnistFile(name, (1,), "")
