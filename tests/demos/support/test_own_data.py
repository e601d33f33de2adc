"""--data: toys by name, files, and whatever a module has; what is wrong with them is said."""

import numpy as np
import pytest

from minigan.data import Batches, GaussianMixture
from support.own_data import PLANE, plane_data

MODULE = """
import numpy as np
from minigan import Distribution

class Square(Distribution):
    def __init__(self):
        super().__init__("square", 2, (0, 1, 0, 1))

    def draw(self, n, rng):
        return rng.random((n, 2))

square, points = Square(), np.arange(6.0).reshape(3, 2)
make = lambda: Square()
line = Square()
line.dimension = 1
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working directory, with files of all kinds."""
    monkeypatch.chdir(tmp_path)
    points = np.arange(8.0).reshape(4, 2)
    np.save("points.npy", points)
    np.save("three.npy", np.ones((4, 3)))
    np.save("same.npy", np.ones((4, 2)))
    np.save("objects.npy", np.array([{}], dtype=object))
    np.save("whole.npy", points.astype(int))
    for name, text in {
        "points.csv": "0,1\n2,3\n4,5\n6,7\n",
        "named.csv": "\ufeffx,y\n0,1\n2,3\n4,5\n6,7\n",
        "words.csv": "x,y\n0,one\n",
        "ragged.csv": "0,1\n2\n",
        "nan.csv": "0,1\nnan,2\n",
        "semicolons.csv": "0;1\n2;3\n",
        "my_own_points.py": MODULE,
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["points.npy", "whole.npy", "points.csv", "named.csv"])
def test_files(name):
    data = plane_data(name)
    low, high = -0.6, 7.6  # a tenth of the size on each side
    np.testing.assert_allclose(data.extent, (low, 6 + 0.6, 1 - 0.6, high))
    x = next(Batches(data, 500, 0))
    assert {tuple(row) for row in x.tolist()} == {(0, 1), (2, 3), (4, 5), (6, 7)}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["Square", "square", "points", "make"])
def test_modules(name):
    assert plane_data(f"my_own_points:{name}").sample(3, 0).shape == (3, 2)


def test_toys():
    assert isinstance(plane_data("ring"), GaussianMixture) and "grid" in PLANE
    assert all(plane_data(name).dimension == 2 for name in PLANE)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "name, message",
    [
        ("rnig", r"expected a .csv or .npy file, module:name, or one of .*ring"),
        ("nobody.npy", "No such file"),
        ("nobody.csv", "No such file"),
        ("three.npy", r"expected shape \(n, 2\) with n > 0, got \(4, 3\)"),
        ("same.npy", r"expected different points, all are \[1.0, 1.0\]"),
        ("objects.npy", "allow_pickle"),
        ("words.csv", "could not convert string 'one'"),
        ("ragged.csv", "number of columns changed"),
        ("nan.csv", "expected finite numbers, got NaN or infinity in row 1"),
        ("semicolons.csv", "could not convert|expected shape"),
        ("nobody:square", "No module named 'nobody'"),
        ("my_own_points:circle", "the module my_own_points has no circle"),
        ("my_own_points:line", "expected points of the plane, got dimension 1"),
        ("my_own_points:np", "expected a NumPy array"),
    ],
)
def test_what_is_wrong_is_said(name, message):
    with pytest.raises(ValueError, match=rf"^--data {name}: .*({message})"):
        plane_data(name)


@pytest.mark.usefixtures("folder", "without_pictures")
def test_a_game_on_points_of_ones_own(run_demo, tmp_path, metrics):
    run_demo("toy", "--quick", "--steps", 2, "--data", "points.csv", "--out", tmp_path / "out")
    found = metrics(tmp_path / "out")
    assert found["data"] == "points.csv" and found["modes"] is None and found["finished"]
