"""What an exercise consists of: pieces to write, with what is right and what is often wrong."""

import ast
import importlib
import inspect
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np

__all__ = ["FOLDER", "Draw", "Exercise", "Part", "open_file", "replaced", "unsolved"]

FOLDER = Path(__file__).resolve().parents[1]
#: Where students' classes say that they come from. What comes from elsewhere is tried by the
#: library as soon as a network is built, all methods at once; here they are looked at one by one.
UNTRIED = "minigan.exercises"


class Draw:
    """One set of random inputs: the sizes, and a generator of the numbers.

    Where all sizes are alike, a product of the wrong matrices has a value, and values can be
    compared; where all are different, N is no other size.
    """

    SIZES = ((4, 4, 4), (5, 5, 5), (7, 3, 2))

    def __init__(self, sizes, seed):
        self.batch, self.inputs, self.outputs = sizes
        self.rng = np.random.default_rng([seed, *sizes])

    @classmethod
    def several(cls, seed=0):
        """Draws of several sizes, always the same for the same seed."""
        return [cls(sizes, seed) for sizes in cls.SIZES]

    def normal(self, *shape):
        return self.rng.normal(size=shape)


class Exercise:
    """right: name -> the class or function that the student is to write part of, solved."""

    def __init__(self, **right):
        self.right, self.parts, self.hints = SimpleNamespace(**right), [], ()

    def part(self, piece, observe, **more):
        """A new part, appended to `parts`."""
        self.parts.append(Part(self, piece, observe, **more))
        return self.parts[-1]


class Part:
    """One piece: a function, or "Class.method".

    observe: a function of the classes and functions (`right`, or a student's module), a `Draw`, and
    a twist; it runs the piece and returns name -> array. twists: name -> the sentence for whoever
    observes the same as with that twist. needs: pieces that must be right before. shown: the
    library's functions that --solution prints.
    """

    def __init__(self, exercise, piece, observe, *, twists=None, needs=(), shown=None):
        self.exercise, self.piece, self.observe = exercise, piece, observe
        self.twists, self.needs, self.mistakes = twists or {}, needs, {}
        self.shown = shown or (self.solution,)

    @property
    def solution(self):
        """The right function for this piece."""
        owner, _, name = self.piece.rpartition(".")
        return getattr(getattr(self.exercise.right, owner) if owner else self.exercise.right, name)

    def mistake(self, wrong):
        """Register a classic mistake: a wrong function, whose docstring says what is wrong."""
        self.mistakes[wrong] = inspect.cleandoc(wrong.__doc__).replace("\n", " ")
        return wrong


def replaced(its, piece, function):
    """The same classes and functions, but another function for that piece."""
    owner, _, name = piece.rpartition(".")
    changed = SimpleNamespace(**vars(its))
    if owner:
        members = {name: function, "__module__": UNTRIED}
        function = type(owner, (getattr(its, owner),), members)
    setattr(changed, owner or name, function)
    return changed


def open_file(path):
    """The module in a student's file: as it is now, never from a cache of bytecode."""
    path = Path(path).resolve()
    module = ModuleType(f"{UNTRIED}.{path.stem}")
    module.__file__ = str(path)
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    return module


def answers(stem):
    """The `Exercise` for the file 07_batch_norm, from answers/batch_norm.py."""
    return importlib.import_module(f"answers.{stem[3:]}").exercise


def unsolved(source):
    """The pieces of a file that still have a blank: an `...` that is no index."""
    return {name for name, node in pieces(ast.parse(source)) if has_blank(node)}


def pieces(scope, prefix=""):
    """(name, node) of the functions and methods in a syntax tree."""
    for node in scope.body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from pieces(node, f"{node.name}.")


def has_blank(node):
    """Whether `...` stands anywhere in it but inside the brackets of an index."""
    if isinstance(node, ast.Subscript):
        return has_blank(node.value)
    if isinstance(node, ast.Constant):
        return node.value is ...
    return any(map(has_blank, ast.iter_child_nodes(node)))
