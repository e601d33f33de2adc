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

FORMAT, VERSION = "minigan checkpoint", 2


def save_checkpoint(path, game, batches=None, *, configuration=None, history=None):
    """Write the state of `game`, and of its `batches`, to the npz file `path`.

    game: a `GAN`, or any other `Game`. batches: where its data come
    from, with `state()` and `restore()`, such as `data.Batches`. configuration: a dict that must
    be the same when the run goes on, say, the options of a program. history: a dict of whatever
    else is to be kept, say, the losses so far. Both dicts hold numbers, text, None, and lists,
    tuples, dicts and dataclasses of these; the history also host arrays and `Record`s.

    Raises CheckpointError if the game holds NaN or infinity, TrainingDiverged if an update that
    nobody had looked at yet was not finite, TypeError or ValueError if something cannot be part
    of a checkpoint, OSError if the file cannot be written. After each, an earlier file is as it
    was. On several ranks, all call this after the same step; the first writes the file, which is
    that of one process, and its error is raised on all.
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
        "game": game.description(),
        "state": state,
        "configuration": check_configuration(configuration or {}),
        "history": _detach(history or {}, arrays, "history"),
    }
    if game.backend.ranks is None:
        write_archive(path, header, arrays)
    else:
        game.backend.ranks.compare(game)
        game.backend.ranks.on_first(lambda: write_archive(path, header, arrays))


def load_checkpoint(path, game, batches=None, *, configuration=None, changed=()):
    """Set `game`, and its `batches`, to the state in the file `path`; return the `history`.

    Without `batches`, those in the file are left out: to generate, no data are needed. In the
    history, tuples have become lists, and dataclasses and records dicts.

    The game must be the one that was saved, by its `description()`, and so must a `configuration`
    that is given. changed: names in these two of what is another on purpose, such as
    ("schedule", "generator_optimizer") to go on for longer and at another rate. A setting that is
    named there starts anew; all others take from the file what they remember.

    Raises CheckpointError if the file is damaged, no checkpoint, of another version, or of another
    game or configuration, whose first difference is named; OSError if it cannot be read; ValueError
    if `changed` holds what is no such name. Then nothing was changed. On several ranks, all call
    this and read the file; how many ranks wrote it does not matter.
    """
    description, left_out = game.description(), {*changed}.intersection(game.settings)
    if batches is None:
        left_out.add("batches")
    parts = {n: part for n, part in _parts(game, batches).items() if n not in left_out}
    with open_archive(path) as archive:
        header = archive.header
        _check_version(path, header)
        names = [*description, *header["configuration"], *(configuration or ())]
        if configuration is not None:
            mine = check_configuration(configuration)
            _check_equal(path, "configuration", header["configuration"], mine, changed)
        theirs = {n: kind for n, kind in dict(header["structure"]).items() if n not in left_out}
        structure = {name: _structure(part) for name, part in parts.items()}
        _check_equal(path, "architecture", theirs, structure)
        _check_equal(path, "game", header["game"], description, changed)
        steps = check_integer("steps", header["steps"], 0)
        state = _attach({name: header["state"][name] for name in parts}, archive, "state")
        history = _attach(header["history"], archive, "history")
    for name in changed:
        if name not in names:
            raise ValueError(f"changed: expected names among {', '.join(names)}, got {name!r}")
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
    if version != VERSION:
        age = "a newer" if version > VERSION else "an older"
        raise CheckpointError(
            path, f"of {age} minigan: its format is {version}, this one reads {VERSION}"
        )


def _check_equal(path, what, theirs, mine, changed=None):
    """Raise CheckpointError for the first difference of two nested dicts of text and numbers.

    changed: names at the top that may differ; None where none may, as nothing would fit then.
    """
    for name in [*theirs, *(name for name in mine if name not in theirs)]:
        if name in (changed or ()):
            continue
        found = _first_difference(theirs.get(name), mine.get(name), name)
        if found is not None:
            way = "" if changed is None else f" (to load it all the same: changed=({name!r},))"
            raise CheckpointError(path, f"of another {what}: {found}{way}")


def _first_difference(theirs, mine, place):
    """Where two values first differ, and how, as text; None if they are equal."""
    if isinstance(theirs, dict) and isinstance(mine, dict):
        for key in [*theirs, *(key for key in mine if key not in theirs)]:
            found = _first_difference(theirs.get(key), mine.get(key), f"{place}, {key}")
            if found is not None:
                return found
    elif theirs != mine:
        has = [value if isinstance(value, str) else _short(value) for value in (theirs, mine)]
        return f"{place}: {has[0]} in the checkpoint, {has[1]} here"
    return None


def _short(value):
    if value is None:
        return "nothing"
    return value if isinstance(value, str) else reprlib.repr(value)
