"""Checkpoints: all that a run of training needs to go on as if nothing had happened.

    save_checkpoint("run.npz", gan, batches)       # at some step
    load_checkpoint("run.npz", gan, batches)       # in another process: the same game, just built

From there on, every number is the one of the run that was never interrupted, bit for bit. The
file (see `archive.py`) holds the networks, the optimizers' vectors, the averaged weights, the
states of the random generators, the order of the data and the number of steps. It does not hold
code: the game is built as it was, and told what it had learnt. Into a game of another dtype or
backend the same numbers are loaded as well as they fit.

A game says in `parts()` what of it changes in training: name -> network, optimizer, average of
weights, random generator, or anything with `state()` (nested dicts and lists of plain values and
host arrays) and `restore(state)`, which raises an error if the state is not one of its own.
"""

import copy
import dataclasses
import math
import reprlib

import numpy as np

from minigan.checks import check_integer
from minigan.gan import Record
from minigan.runs.archive import CheckpointError, open_archive, write_archive

__all__ = ["CheckpointError", "load_checkpoint", "save_checkpoint"]

FORMAT, VERSION = "minigan checkpoint", 1


def save_checkpoint(path, game, batches=None, *, configuration=None, history=None):
    """Write the state of `game`, and of its `batches`, to the npz file `path`.

    game: a `GAN`, or any game with `parts()`, `steps` and `watch`. batches: where its data come
    from, with `state()` and `restore()`, such as `data.Batches`. configuration: a dict that must
    be the same when the run goes on, say, the options of a program. history: a dict of whatever
    else is to be kept, say, the losses so far. Both dicts hold numbers, text, None, and lists,
    tuples, dicts and dataclasses of these; the history also host arrays and `Record`s.

    Raises CheckpointError if the game holds NaN or infinity, TrainingDiverged if an update that
    nobody had looked at yet was not finite, TypeError or ValueError if something cannot be part
    of a checkpoint, OSError if the file cannot be written. After each, an earlier file is as it
    was.
    """
    if game.watch is not None:
        game.watch.look()  # whatever a GPU has not yet said about the updates so far
    parts, arrays = _parts(game, batches), {}
    state = _detach({name: _state(part) for name, part in parts.items()}, arrays, "state")
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError(path, f"not saved: {name.removeprefix('state/')} is not finite")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "steps": game.steps,
        "structure": {name: _structure(part) for name, part in parts.items()},
        "state": state,
        "configuration": check_configuration(configuration or {}),
        "history": _detach(history or {}, arrays, "history"),
    }
    write_archive(path, header, arrays)


def load_checkpoint(path, game, batches=None, *, configuration=None):
    """Set `game`, and its `batches`, to the state in the file `path`; return the `history`.

    Without `batches`, those in the file are left out: to generate, no data are needed. A
    `configuration` that is given is compared with the one in the file. In the history, tuples
    have become lists, and dataclasses and records dicts.

    Raises CheckpointError if the file is damaged, no checkpoint, of a newer version, or of
    another game or configuration, whose first difference is named; OSError if it cannot be read.
    Then nothing was changed.
    """
    parts = _parts(game, batches)
    with open_archive(path) as archive:
        header = archive.header
        _check_version(path, header)
        if configuration is not None:
            mine = check_configuration(configuration)
            _check_equal(path, "configuration", header["configuration"], mine)
        theirs = dict(header["structure"])
        if batches is None:
            theirs.pop("batches", None)
        structure = {name: _structure(part) for name, part in parts.items()}
        _check_equal(path, "architecture", theirs, structure)
        steps = check_integer("steps", header["steps"], 0)
        state = _attach({name: header["state"][name] for name in parts}, archive, "state")
        history = _attach(header["history"], archive, "history")
    before = copy.deepcopy({name: _state(part) for name, part in parts.items()})
    for name, part in parts.items():
        try:
            _restore(part, state[name])
        except BaseException as error:
            for other in parts:
                _restore(parts[other], before[other])
            if not isinstance(error, Exception):
                raise
            raise CheckpointError(path, f"the state of {name} does not fit: {error!r}") from error
    game.steps = steps
    return history


# The parts of a game ---------------------------------------------------------------------------


def _parts(game, batches):
    everything = game.parts() | {"batches": batches}
    parts = {name: part for name, part in everything.items() if part is not None}
    for name, part in parts.items():
        if not isinstance(part, np.random.Generator) and not hasattr(part, "restore"):
            expected = "something with state() and restore(), such as data.Batches"
            raise TypeError(f"{name}: expected {expected}, got {type(part).__name__}")
    return parts


def _structure(part):
    """What must be the same in the game that a checkpoint is loaded into, as text."""
    if isinstance(part, np.random.Generator):
        return type(part.bit_generator).__name__
    return part.structure() if hasattr(part, "structure") else type(part).__name__


def _state(part):
    """What a part remembers: nested dicts of host arrays and plain values."""
    if isinstance(part, np.random.Generator):
        return part.bit_generator.state
    return part.state() if callable(part.state) else part.snapshot()  # an optimizer's is a dict


def _restore(part, state):
    """Set a part to a state; an error may leave it half set."""
    if isinstance(part, np.random.Generator):
        part.bit_generator.state = state
    else:
        part.restore(state)


# What JSON can hold, and arrays apart ----------------------------------------------------------


def _detach(value, arrays, place):
    """`value` for JSON, with None in the place of every array; the array is `arrays[place]`.

    Places are paths such as "state/generator/parameters/0.weight".
    """
    if isinstance(value, np.ndarray):
        arrays[place] = value
        return None
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Record):
        value = value.as_dict()
    if dataclasses.is_dataclass(value):
        value = vars(value)
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str) or "/" in key:
                raise ValueError(f"{place}: a key must be text without a slash, got {key!r}")
        return {key: _detach(item, arrays, f"{place}/{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_detach(item, arrays, f"{place}/{i}") for i, item in enumerate(value)]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{place}: a {type(value).__name__} cannot be part of a checkpoint")


def check_configuration(configuration):
    """A configuration as it comes back from JSON: without arrays, lists in the place of tuples.

    Raises TypeError or ValueError for what cannot be part of one.
    """
    arrays = {}
    plain = _detach(configuration, arrays, "configuration")
    if arrays:
        raise TypeError(f"{next(iter(arrays))}: an array cannot be part of a configuration")
    _check_finite(plain, "configuration")
    return plain


def _check_finite(value, place):
    """NaN equals nothing, not even itself: a run with it could never be resumed."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{place}: expected a finite number, got {value}")
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, item in value.items():
            _check_finite(item, f"{place}/{key}")


def _attach(value, archive, place):
    """The inverse of `_detach`: every array at its place again."""
    if value is None and place in archive.shapes:
        return archive.read(place)
    if isinstance(value, dict):
        return {key: _attach(item, archive, f"{place}/{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [_attach(item, archive, f"{place}/{i}") for i, item in enumerate(value)]
    return value


# Refusals --------------------------------------------------------------------------------------


def _check_version(path, header):
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise CheckpointError(path, "not a checkpoint of minigan")
    version = check_integer("version", header["version"], 1)
    if version > VERSION:
        text = f"of a newer minigan: its format is {version}, this one reads up to {VERSION}"
        raise CheckpointError(path, text)


def _check_equal(path, what, theirs, mine, place=""):
    """Raise CheckpointError for the first difference of two nested dicts of text and numbers."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        for key in theirs | mine:
            below = f"{place}, {key}" if place else key
            _check_equal(path, what, theirs.get(key), mine.get(key), below)
    elif theirs != mine:
        found, here = map(_short, (theirs, mine))
        text = f"of another {what}: {place}: {found} in the checkpoint, {here} here"
        raise CheckpointError(path, text)


def _short(value):
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else reprlib.repr(value)
