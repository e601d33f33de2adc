"""Files on the file systems that people have, and paths as they write them."""

import errno
import json
import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from lab.recording import save_page
from minigan.data import MnistError, load_mnist
from minigan.data.mnist import cache_dir
from minigan.files import expanded, remove_stale, replacing
from minigan.plotting import picture, save_animation, save_picture
from minigan.runs.archive import open_archive, write_archive
from support import demo

posix = pytest.mark.skipif(os.name != "posix", reason="modes and folders' fsync are of POSIX")


def write(path, text="new"):
    with replacing(path) as temporary:
        Path(temporary).write_text(text, encoding="utf-8")


def refuse(code):
    def call(*args, **options):
        raise OSError(code, os.strerror(code))

    return call


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# File systems ------------------------------------------------------------------------------------

NOT_SUPPORTED = [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EIO, errno.EBADF]


@posix
@pytest.mark.parametrize("code", NOT_SUPPORTED)
def test_a_folder_that_refuses_fsync_is_no_failure(tmp_path, monkeypatch, code):
    """CIFS, S3, shared folders of virtual machines: the file is whole and in its place."""
    fsync = os.fsync

    def only_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            refuse(code)()
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new" and names(tmp_path) == [
        "a.txt"
    ]


@posix
def test_a_folder_that_cannot_be_opened_is_no_failure(tmp_path, monkeypatch):
    """One in which one may write but not look."""
    real = os.open

    def only_files(path, *args, **options):
        if os.path.isdir(path):
            refuse(errno.EACCES)()
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", only_files)
    write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new"


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_a_file_system_without_fsync_is_no_failure(tmp_path, monkeypatch, code):
    monkeypatch.setattr(os, "fsync", refuse(code))
    write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new" and names(tmp_path) == [
        "a.txt"
    ]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_is_full_or_broken_is_one(tmp_path, monkeypatch, code):
    write(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "fsync", refuse(code))
    with pytest.raises(OSError) as caught:
        write(tmp_path / "a.txt")
    assert caught.value.errno == code
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "old" and names(tmp_path) == [
        "a.txt"
    ]


@pytest.mark.parametrize("code", NOT_SUPPORTED)
def test_a_file_system_that_refuses_chmod_is_no_failure(tmp_path, monkeypatch, code):
    for name in ("chmod", "fchmod", "lchmod"):
        monkeypatch.setattr(os, name, refuse(code), raising=False)
    write(tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "new"


# Modes -------------------------------------------------------------------------------------------


def write_picture(path):
    save_picture(picture(1, 1), path)


def write_animation(path):
    save_animation(picture(1, 1), path, lambda frame: None, range(2))


def write_page(path):
    save_page(path, [])


def write_demo(path):
    demo.Output(path.parent, "toy", [], {}).save_metrics()


WRITERS = {
    "run.npz": lambda path: write_archive(path, {}, {"x": np.zeros(3)}),
    "picture.png": write_picture,
    "animation.gif": write_animation,
    "session.html": write_page,
    "metrics.json": write_demo,
    "a.txt": write,
}


@posix
@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
@pytest.mark.parametrize("name", WRITERS)
def test_modes_follow_the_umask(tmp_path, name, umask):
    before = os.umask(umask)
    try:
        WRITERS[name](tmp_path / name)
        WRITERS[name](tmp_path / name)  # replaced
    finally:
        os.umask(before)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o666 & ~umask


# Paths -------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder; the working directory is another one, where nothing may appear."""
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "home"
    assert names(tmp_path / "here") == []


@pytest.mark.parametrize("kind", [str, Path])
def test_the_home_folder_is_written_as_a_tilde(home, kind):
    assert expanded(kind("~/a/b")) == home / "a" / "b" and expanded(kind("~")) == home
    for plain in ("a/~/b", "/a/~b", "a~", ".", ""):
        assert expanded(kind(plain)) == Path(plain)
    if os.name == "posix":  # Windows believes every user to have a folder beside this one's
        assert expanded(kind("~no-such-user/x")) == Path("~no-such-user/x")


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_knows_it(home, name):
    (home / "x").mkdir()
    WRITERS[name](Path("~/x") / name)
    assert names(home / "x") == [name]


def test_every_reader_knows_it(home):
    write_archive("~/run.npz", {"a": 1}, {})
    with open_archive("~/run.npz") as archive:
        assert archive.header == {"a": 1}
    stale = home / ".run.0.minigan-part.npz"
    stale.touch()
    remove_stale("~/run.npz")
    assert not stale.exists()


def test_a_demo_writes_to_the_home_folder(home):
    _, out = demo.start("toy", "", ["picture.png"], argv=["--out=~/x"])
    out.begin()
    assert out.path("picture.png") == home / "x" / "picture.png"
    assert json.loads((home / "x" / "metrics.json").read_text(encoding="utf-8"))["demo"] == "toy"


# No home folder, as in containers -----------------------------------------------------------------


@pytest.fixture
def homeless(monkeypatch, tmp_path):
    """No HOME, and a user whom the list of users does not have."""

    def unknown(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    for variable in ("HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("LOCALAPPDATA", "MINIGAN_DATA"):
        monkeypatch.delenv(variable, raising=False)
    if sys.platform != "win32":
        monkeypatch.setattr("pwd.getpwuid", unknown)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("homeless")
def test_no_home_folder_is_a_sentence(capsys, tmp_path):
    sentence = "this user has no home folder: set the environment variable"
    with pytest.raises(FileNotFoundError, match=sentence):
        write("~/a.txt")
    with pytest.raises(SystemExit) as exit:
        demo.start("toy", "", [], argv=["--out=~/x"])
    assert exit.value.code == 2 and sentence in capsys.readouterr().err
    with pytest.raises(MnistError, match=sentence):
        cache_dir()
    with pytest.raises(
        MnistError, match=f"{sentence}.*name a folder that holds the files"
    ) as caught:
        load_mnist("train")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    with pytest.raises(MnistError, match=sentence):
        load_mnist("train", "~/data")
    assert names(tmp_path) == []


@pytest.mark.usefixtures("homeless")
def test_without_a_home_folder_all_else_works(tmp_path):
    write(tmp_path / "a.txt")
    demo.start("toy", "", [], argv=["--out", str(tmp_path / "x")])
    with pytest.raises(MnistError, match="are not available"):
        load_mnist("train", tmp_path)
