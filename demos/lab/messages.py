"""What Python tells the page: dicts that JSON can hold, the same live and in a recording.

    options     once: the choices, the limits, the scenes, what each control means
    game        at each new game: its settings, its networks, its real samples
    frame       what there is to see now, and the rows of the curves since the last frame
    layer       one layer under the magnifying glass
    say         a sentence for the reader

Arrays travel as whole numbers of 8 or 16 bits in base64 and a scale: value = number · scale. That
is a tenth of their digits, and finer than a pixel.
"""

import base64
import json
import math

import numpy as np

from lab.inspection import architecture
from lab.scenes import SCENES
from lab.settings import CHOICES, LIMITS, LIVE, MOST_POINTS, Settings
from lab.words import DATA_WORDS, LABELS, OBJECTIVE_WORDS, REGULARIZER_WORDS
from minigan.objectives import OBJECTIVES

__all__ = ["as_json", "frame", "game", "options", "packed", "relative"]

#: Of the curves' rows since the last frame, at most so many are sent, evenly chosen.
ROWS = 200


def packed(array, bits=16):
    """An array as a dict with its shape, scale and data; NaN becomes 0, infinity the largest."""
    array = np.nan_to_num(np.asarray(array, np.float64), posinf=1e30, neginf=-1e30)
    largest = 2 ** (bits - 1) - 1
    scale = max(float(abs(array).max(initial=0)) / largest, 1e-30)
    whole = np.rint(array / scale).astype(f"<i{bits // 8}")
    data = base64.b64encode(whole.tobytes()).decode()
    return {"shape": list(array.shape), "scale": scale, "bits": bits, "data": data}


def as_json(message):
    """Its text. NaN and infinity, which JSON lacks, become null."""
    return json.dumps(plain(message), separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return packed(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value.item() if isinstance(value, np.generic) else value


def options():
    """What the page builds its controls from."""
    defaults = {name: getattr(Settings(), name) for name in (*CHOICES, *LIMITS)}
    return {
        "kind": "options",
        "choices": CHOICES,
        "limits": LIMITS,
        "live": LIVE,
        "constrained": [name for name, kind in OBJECTIVES.items() if kind.needs_constraint],
        "defaults": defaults,
        "labels": LABELS,
        "words": {
            "data": DATA_WORDS, "objective": OBJECTIVE_WORDS, "regularizer": REGULARIZER_WORDS,
        },
        "scenes": [
            {"name": scene.name, "title": scene.title, "text": scene.text} for scene in SCENES
        ],
        "most_points": MOST_POINTS,
    }  # fmt: skip


def game(experiment, *, number=1, undo=False, scene=""):
    """A game, or new settings in the midst of it. number: which game of the page it is; undo:
    whether the one before can be called back."""
    settings, gan = experiment.settings, experiment.gan
    balance = gan.objective.undecided_losses() if not settings.is_critic else None
    return {
        "kind": "game",
        "number": number,
        "settings": {name: getattr(settings, name) for name in (*CHOICES, *LIMITS)},
        "link": f"scene={scene}" if scene else settings.link(),
        "scene": scene,
        "undo": undo,
        "extent": experiment.extent,
        "real": to_window(experiment.real, experiment.extent),
        "density": relative(experiment.masses),
        "is_critic": settings.is_critic,
        "has_modes": experiment.has_modes,
        "modes": len(experiment.data.means) if experiment.has_modes else 0,
        "balance": balance,
        "networks": {"G": architecture(gan.generator), "D": architecture(gan.discriminator)},
    }


def frame(look, extent, *, rows, stage=None, flow=None, **state):
    """What there is to see. rows: name -> new rows of a curve. state: playing, rate, message."""
    message = {
        "kind": "frame",
        "step": look.step,
        "fake": packed(to_window(look.fake, extent)),
        "mesh": packed(to_window(look.mesh, extent)),
        "logits": packed(look.logits),
        "push": packed(look.push),
        "verdict": packed(look.verdict, bits=8),
        "rows": {name: thinned(new) for name, new in rows.items()},
        **state,
    }
    if flow is not None:
        message["flow"] = flow
    if stage is not None:
        names = "title", "text", "shows", "flow", "numbers", "formula", "code"
        message["stage"] = {name: getattr(stage, name) for name in names}
        message["real"] = packed(to_window(look.real, extent))
    return message


def relative(masses):
    """The masses of the cells of a grid, in shares of the largest."""
    return packed(masses / masses.max(), bits=8)


def to_window(points, extent):
    """Points in shares of the window, (0, 0) at the lower left; far away becomes the edge of 3."""
    low, high = np.array(extent[::2]), np.array(extent[1::2])
    return ((np.asarray(points, np.float64) - low) / (high - low)).clip(-2, 3)


def thinned(rows):
    """At most ROWS of the rows, the last one among them."""
    stride = -(-len(rows) // ROWS) or 1
    return [list(row) for row in rows[::-1][::stride][::-1]]
