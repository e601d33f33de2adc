"""The pictures kept in demos/pictures: which lesson draws each, and what is noted in it."""

import ast
import json
from pathlib import Path

from PIL import Image, PngImagePlugin

__all__ = ["DEMOS", "KEPT", "PICTURES", "constants", "keep", "notes"]

DEMOS = Path(__file__).resolve().parents[1]
KEPT = DEMOS / "pictures"

#: Lesson -> the picture that is kept -> its name in the lesson's folder.
PICTURES = {
    "minimal_gan": {"minimal_gan.png": "picture.png"},
    "density_estimation": {"density_estimation.png": "picture.png"},
    "pushforward": {"pushforward.png": "picture.png"},
    "backprop_by_hand": {
        "backprop_by_hand.png": "network.png",
        "backprop_checks.png": "checks.png",
    },
    "xray": {"xray.png": "picture.png"},
    "transposed_convolution": {
        "transposed_matrix.png": "matrix.png",
        "transposed_scatter.png": "scatter.png",
        "transposed_checkerboard.png": "checkerboard.png",
        "transposed_cure.png": "cure.png",
    },
    "toy": {"toy.png": "picture.png"},
    "vanishing_gradients": {"vanishing_gradients.png": "picture.png"},
    "saddle_point": {"best_d.png": "best_d.png", "saddle_point.png": "circles.png"},
    "wasserstein": {"wasserstein.png": "picture.png"},
    "moment_matching": {"moment_matching.png": "picture.png"},
    "mode_collapse": {"mode_collapse.png": "picture.png"},
    "mnist": {"mnist.png": "picture.png", "mnist_pieces.png": "pieces.png"},
    "digits": {"digits.png": "digits.png"},
    "learned": {"learned.png": "picture.png"},
    "conditional": {"conditional.png": "digits.png", "confusion.png": "confusion.png"},
    "translation": {"translation.png": "picture.png"},
    "results": {"scores.png": "scores.png", "widths.png": "widths.png"},
    "ranks": {"ranks.png": "picture.png"},
    "sngan": {"sngan.png": "picture.png"},
    "write_your_own": {"write_your_own.png": "picture.png"},
}


def constants(lesson):
    """The lesson's settings: all that its source assigns to names in capitals, line by line."""
    tree = ast.parse((DEMOS / f"{lesson}.py").read_text(encoding="utf-8"))
    found = []
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names = [n.id for target in node.targets for n in ast.walk(target) if hasattr(n, "id")]
            if names and all(name.isupper() for name in names):
                found.append(ast.unparse(node))
    return found


def notes(path):
    """What is noted in a picture: its captions and, in a kept one, the lesson's settings, figures.

    {} if there is no such picture.
    """
    if not path.exists():
        return {}
    with Image.open(path) as image:
        text = image.text
    return {
        name: json.loads(text[name])
        for name in ("Captions", "Constants", "Metrics")
        if name in text
    }


def keep(drawn, lesson, metrics, name):
    """Keep a picture that the lesson has just drawn, with what its figures were."""
    info = PngImagePlugin.PngInfo()
    found = {**notes(drawn), "Constants": constants(lesson), "Metrics": metrics}
    for key, value in found.items():
        info.add_text(key, json.dumps(value))
    with Image.open(drawn) as image:
        image.save(KEPT / name, "PNG", optimize=True, pnginfo=info)
