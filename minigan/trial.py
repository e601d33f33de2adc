"""Parts of the caller's own are tried once, when they come in, so that their slips get a name.

A layer, objective, regularizer or distribution of a class from outside the library is called on a
few random numbers, and what it gives is compared with what it has to give. Otherwise a slip shows
in the middle of training, in the code of whoever trips over it. Errors that the part itself raises
are left to the first real call, whose traceback ends at the line that is wrong.
"""

import copy
import inspect
from contextlib import suppress

import numpy as np

__all__ = ["got", "try_distribution", "try_layers", "try_objective", "try_regularizer"]

#: Samples of a trial; some layers take them in groups.
N = 12


def got(value):
    """What was given, for a message: a class in the place of an object is an old slip."""
    if isinstance(value, type):
        return f"the class {value.__name__}: write {value.__name__}(...)"
    return repr(value)


def try_layers(network):
    """The layers of a network that has just been built."""
    inside = [(layer, *layer.inside()) for layer in network.layers]
    own = [i for i, parts in enumerate(inside) if any(map(is_callers_own, parts))]
    twin = network.clone() if own else None  # running statistics and random generators may move
    for i in own:
        with suppress(_Raised):
            _try_layer(_Trial(f"layer {i} ({twin.layers[i]!r})", twin.layers[i], twin), i)


def _try_layer(trial, i):
    before, after = trial.network.shapes[i : i + 2]
    trial.takes(forward="x, train", backward="dy, cache", add_gradients="dy, cache")
    trial.takes(double_backward="u, dy, cache")
    x = trial.random(N, *before)
    for train in (True, False):
        y, cache = trial.values("forward", "y, cache", x, train)
        hint = ": does output_shape(input_shape) say what forward does?"
        trial.compare("forward", "y", y, ("N", *after), hint)
        dy = trial.random(*y.shape)
        trial.compare("backward", "dx", trial.call("backward", dy, cache), x.shape)
    u_dy, u_x = trial.values("double_backward", "u_dy, u_x", trial.random(*x.shape), dy, cache)
    trial.compare("double_backward", "u_dy", u_dy, y.shape)
    if u_x is not None:
        trial.compare("double_backward", "u_x", u_x, x.shape)


def try_objective(objective):
    """Both players' terms, in float32; the objective itself."""
    if is_callers_own(objective):
        name = repr(objective)
        initialized(name, objective, "backend", "backend")
        trial, seen = _Trial(name, objective, objective), ["f", "r"][: 1 + objective.relativistic]
        trial.takes(discriminator_terms="r, f", generator_terms=", ".join(seen))
        logits = {name: trial.random(N, 1) for name in ("r", "f")}
        with suppress(_Raised):
            for method, names, arguments in (
                ("discriminator_terms", "value_real, value_fake, d_real, d_fake", "rf"),
                ("generator_terms", "value_fake, d_fake", seen),
            ):
                found = trial.values(method, names, *(logits[a] for a in arguments))
                for name, array in zip(names.split(", "), found, strict=True):
                    trial.compare(method, name, array, (N, 1))
    return objective


def try_regularizer(regularizer, discriminator):
    """Its penalty, on a copy of the discriminator."""
    if is_callers_own(regularizer):
        trial = _Trial(repr(regularizer), copy.deepcopy(regularizer), discriminator.clone())
        penalize = "discriminator, real, fake, rng, step"
        trial.takes(check="discriminator", penalize=penalize, constrain="discriminator")
        real, fake = (trial.random(N, *discriminator.input_shape) for _ in range(2))
        with suppress(_Raised):
            penalty = trial.call("penalize", trial.network, real, fake, trial.rng, 0)
            if not isinstance(penalty, int | float) and getattr(penalty, "shape", None) != ():
                trial.refuse("penalize", "the penalty, a number", penalty)


def try_distribution(distribution):
    """A few of its samples; the distribution itself."""
    if is_callers_own(distribution):
        name = type(distribution).__name__
        initialized(name, distribution, "dimension", "name, dimension, extent")
        trial = _Trial(name, distribution, None)
        trial.takes(draw="n, rng")
        with suppress(_Raised):
            x, shape = trial.call("draw", N, trial.rng), (N, distribution.dimension)
            if getattr(x, "shape", None) != shape:
                trial.refuse("draw", f"an array {shape} for n = {N}", getattr(x, "shape", x))
    return distribution


def is_callers_own(part):
    """Whether the class is none of the library's: those have tests."""
    return type(part).__module__.partition(".")[0] != "minigan"


def initialized(name, part, attribute, arguments):
    """TypeError where a class with an __init__ of its own leaves out that of its base."""
    if not hasattr(part, attribute):
        raise TypeError(f"{name}: its __init__ does not call super().__init__({arguments})")


class _Raised(Exception):
    """The part raises an error of its own."""


class _Trial:
    """How a part is called, and what its results are compared with. network: whose numbers it
    works on, or None."""

    def __init__(self, name, part, network):
        self.name, self.part, self.network = name, part, network
        self.dtype = np.dtype(getattr(network, "dtype", "float32"))
        self.rng = np.random.default_rng(0)

    def random(self, *shape):
        return self.network.backend.asarray(self.rng.standard_normal(shape), self.dtype)

    def takes(self, **methods):
        """TypeError unless each method takes these arguments, in this order."""
        for method, arguments in methods.items():
            signature = inspect.signature(getattr(self.part, method))
            try:
                signature.bind(*arguments.split(", "))
            except TypeError:
                expected = f"expected {method}({arguments})"
                raise TypeError(f"{self.name}: {expected}, got {method}{signature}") from None

    def call(self, method, *arguments):
        """What the method returns."""
        try:
            with np.errstate(all="ignore"):
                return getattr(self.part, method)(*arguments)
        except Exception as error:
            raise _Raised from error

    def values(self, method, names, *arguments):
        """As `call`, of as many values as there are names."""
        found, names = self.call(method, *arguments), names.split(", ")
        if not isinstance(found, tuple | list) or len(found) != len(names):
            several = isinstance(found, tuple | list)
            found = f"{len(found)} values" if several else found
            self.refuse(method, f"the {len(names)} values {', '.join(names)}", found)
        return found

    def compare(self, method, name, array, shape, hint=""):
        """TypeError or ValueError unless this is an array of that shape, and in the right dtype."""
        if array is ...:  # a blank that is yet to be filled in
            raise _Raised
        if not isinstance(array, self.network.backend.xp.ndarray):
            self.refuse(method, f"an array {name}", array)
        if array.dtype != self.dtype:
            raise TypeError(
                f"{self.name}: {method}: expected {name} in {self.dtype}, as its input, got "
                f"{array.dtype} (a constant such as np.sqrt(2) is a float64 and makes all float64; "
                "float(np.sqrt(2)) does not)"
            )
        n, *rest = shape
        if array.shape[1:] != tuple(rest) or n not in ("N", len(array)):
            wanted = ", ".join(map(str, shape))
            found = f"{self.name}: {method}: expected {name} of shape ({wanted}), got {array.shape}"
            raise ValueError(found + hint)

    def refuse(self, method, expected, found):
        """TypeError for what is something else altogether."""
        is_array = getattr(found, "shape", None)
        found = (
            "None: is a return missing?" if found is None
            else found if isinstance(found, str)
            else f"one array {found.shape}" if is_array else repr(found)
        )  # fmt: skip
        raise TypeError(f"{self.name}: {method}: expected {expected}, got {found}")
