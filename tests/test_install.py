"""What every kind of installation must have: the package, wherever Python starts, and its files."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import minigan

PACKAGE = Path(minigan.__file__).parent
FILES = [path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]


def test_the_folder_of_a_clone_is_not_taken_for_the_package(tmp_path):
    """Python starts in the folder in which somebody typed `git clone`."""
    try:
        metadata.distribution("minigan")
    except metadata.PackageNotFoundError:
        pytest.skip("minigan is not installed, so there is no installation to try")
    (tmp_path / "minigan" / "minigan").mkdir(parents=True)
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    code = "from minigan import GAN"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)


def test_all_files_of_the_package_are_installed():
    """Python's and those that pyproject.toml names, in folders that are packages."""
    toml = pytest.importorskip("tomllib", reason="Python 3.11 and newer read TOML")
    pyproject = PACKAGE.parent / "pyproject.toml"
    if not pyproject.exists():
        pytest.skip("installed without its sources")
    patterns = toml.loads(pyproject.read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]["*"]
    for path in FILES:
        assert path.suffix == ".py" or any(path.match(pattern) for pattern in patterns), path
        for folder in path.relative_to(PACKAGE).parents:
            assert (PACKAGE / folder / "__init__.py").exists(), folder
    assert {path.suffix for path in FILES} == {".py", ".cu", ".md", ".npz"}
