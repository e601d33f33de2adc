"""A training step in a few launches: CUDA graphs.

Each launch costs the host some microseconds, and a step has a hundred: a fast GPU then waits for
the host. A graph is a list of launches, noted once ("captured", while nothing runs) and launched as
one. But what is noted is fixed: the kernels, the addresses that they read and write, and every
number that the host passed. So what a graph is made of must

    read what is new from arrays that stay in their place       `Graph.fill`, before each launch
    have no number that another step would pass differently     Adam's t, a learning rate, a key
    neither copy from the host nor ask it                       float(loss), if norm > 1: ...
    have memory of its own, as it will write there again        `Graph.pool`, which nobody shares

One part of a step is like that, and has nearly all of its launches: the gradients, from a batch and
noise through both networks and back. That part is captured here. Batches, noise, the question
whether all is finite, Adam's update and averages of weights stay a few launches of their own, with
the numbers that their pages compute: no formula has a second home, and a checkpoint in the midst of
it holds what it always did.

    first time     run as ever ("rehearsed"): compiles and loads the kernels
    second time    captured, then launched
    from then on   launched

Random numbers that are drawn inside, on the host (dropout's masks, a penalty's points), go the same
way as a batch: drawn before each launch, by the same generators in the same order (`Graph.draw`).
What cannot be captured runs as ever, and a line says why. Not yet run on a GPU.
"""

import sys
from contextvars import ContextVar
from functools import cache, partial
from operator import is_

__all__ = ["drawn", "number", "stepper"]

#: The graph that is rehearsed or captured, in this thread.
MAKING = ContextVar("the graph that is made", default=None)

#: Single numbers of a graph that share an array: losses, means, norms.
NUMBERS = 64

#: Kinds of steps that are remembered: batches of another size, steps with a penalty and without.
MOST_KINDS = 8


def stepper(game):
    """What makes a step of this game: `game.step`, its gradients from graphs if that can be."""
    why = why_not(game)
    if why is not None:
        say(why)
        return game.step
    return GraphStep(game)


def drawn(draw, shape):
    """draw(shape), random numbers; where a graph is made, the array on the device for them."""
    graph = MAKING.get()
    return draw(shape) if graph is None else graph.draw(draw, shape)


def number(dtype):
    """Where a graph is made, a number () of its own for a kernel to write; else None."""
    graph = MAKING.get()
    return None if graph is None else graph.number(dtype)


class GraphStep:
    """`game.step`, but `gradients(*inputs)` in `Game.update` is a graph from the second time on."""

    def __init__(self, game):
        self.game, self.xp = game, game.backend.xp
        self.start_anew()

    def start_anew(self):
        """Know no graphs, and of the game what it holds now."""
        game, self.graphs = self.game, {}  # kind of step -> Graph, or None if it cannot be captured
        layers = [layer for network in game.networks for layer in network.all_layers.values()]
        self.rngs = [game.rng, *(layer.rng for layer in layers)]
        parts = game.objective, game.regularizer, *game.networks, *layers
        self.parts = [part for part in parts if part is not None]
        self.constants = self.found_constants()

    def __call__(self, batches):
        self.game.update = self.update
        try:
            return self.game.step(batches)
        finally:
            del self.game.update  # a copy of the game, a checkpoint: of the game alone

    def update(self, players, gradients, *inputs):
        """`Game.update`, with another way to the same gradients."""
        game = getattr(gradients, "__self__", self.game)
        return type(game).update(game, players, partial(self.gradients, gradients), *inputs)

    def gradients(self, gradients, *inputs):
        """gradients(*inputs), in the cheapest way that is known by now."""
        if not self.same_constants():
            self.start_anew()
        function, inputs = self.explicit(gradients, inputs)
        kind = self.kind(gradients.__name__, inputs)
        if kind not in self.graphs:
            graph = Graph(self.xp, inputs)
            figures = graph.rehearse(function, inputs)
            if len(self.graphs) == MOST_KINDS:
                self.graphs.clear()
            self.graphs[kind] = graph
            return figures
        graph = self.graphs[kind]
        if graph is not None and graph.launches is None:
            why = self.capture(graph, function)
            if why is not None:
                say(f"{gradients.__name__}: {why}")
                graph = self.graphs[kind] = None
        return function(*inputs) if graph is None else graph.launch(inputs)

    def explicit(self, gradients, inputs):
        """The same, where labels are an input like the others (`ConditionalGAN.given`)."""
        game = getattr(gradients, "__self__", self.game)
        if game is self.game:
            return gradients, inputs

        def given(*inputs):
            *inputs, labels = inputs
            return getattr(self.game.given(labels), gradients.__name__)(*inputs)

        return given, (*inputs, game.labels)

    def kind(self, name, inputs):
        """What the launches depend on: whose gradients, of what size, with a penalty or without."""
        every = getattr(self.game.regularizer, "every", 1)
        return name, self.game.steps % every == 0, *((x.shape, x.dtype) for x in inputs)

    def capture(self, graph, function):
        """Capture the graph; why that cannot be, or None. Random generators are as they were."""
        before = [rng.bit_generator.state for rng in self.rngs]
        try:
            graph.capture(function)
            drew = str(before) != str([rng.bit_generator.state for rng in self.rngs])
            why = "random numbers are drawn on the host, and not by `draw_part`" if drew else None
        except (RuntimeError, MemoryError) as error:  # what CuPy and CUDA refuse
            why = f"{type(error).__name__}: {error}"
        for rng, state in zip(self.rngs, before, strict=True):
            rng.bit_generator.state = state
        return why

    def found_constants(self):
        """All that the game and its parts hold, but for the counter of steps."""
        of_game = [v for name, v in vars(self.game).items() if name not in ("steps", "update")]
        return [of_game, *(list(vars(part).values()) for part in self.parts)]

    def same_constants(self):
        """Whether nobody has set a weight of a penalty, a rate of dropout, … to something else."""
        pairs = zip(self.constants, self.found_constants(), strict=True)
        return all(len(a) == len(b) and all(map(is_, a, b)) for a, b in pairs)


class Graph:
    """A function of arrays that returns figures, as a list of launches.

    inputs: arrays like those that it will be given; copies of them stay in one place.
    """

    def __init__(self, xp, inputs):
        self.xp, self.inputs = xp, [xp.empty_like(x) for x in inputs]
        self.draws = []  # the generators' methods, each with the array for what it draws
        self.unused = None  # of those, while the graph is captured
        self.numbers, self.given = None, []  # an array, and the single numbers in it given so far
        self.pool, self.launches = xp.cuda.MemoryPool(), None

    def rehearse(self, function, inputs):
        """function(*inputs), run as ever."""
        self.fill(inputs)
        return self.make(function)

    def capture(self, function):
        """Note the launches of `function`; RuntimeError or MemoryError where that cannot be."""
        self.unused, self.given = iter(self.draws), []
        stream = self.xp.cuda.Stream(non_blocking=True)  # the default stream cannot be captured
        with self.xp.cuda.using_allocator(self.pool.malloc), stream:
            stream.begin_capture()
            try:
                figures = self.make(function)
                self.collect(figures)
            finally:
                launches = stream.end_capture()
        self.launches = launches

    def make(self, function):
        """function(*self.inputs), whose draws are this graph's."""
        token = MAKING.set(self)
        try:
            return function(*self.inputs)
        finally:
            MAKING.reset(token)

    def draw(self, draw, shape):
        """The array for draw(shape). Rehearsed, it is new; captured, it is that of the rehearsal.

        Not memory of `pool`: what was there before in the graph would be written over it again.
        """
        if self.unused is None:
            self.draws.append((draw, self.xp.asarray(draw(shape))))
            return self.draws[-1][1]
        _, array = next(self.unused, (None, None))
        if array is None or array.shape != shape:
            raise RuntimeError("other random numbers are drawn than in the step before")
        return array

    def number(self, dtype):
        """A number () for a kernel to write: all in one array, so that one copy has all figures."""
        if not self.given:
            self.numbers = self.xp.empty(NUMBERS, dtype)
        if self.numbers.dtype != dtype or len(self.given) == NUMBERS:
            return self.xp.empty((), dtype)
        self.given.append(self.numbers[len(self.given)])
        return self.given[-1]

    def collect(self, figures):
        """Which of the numbers each figure is; what lies elsewhere is copied to one more."""
        self.places = {}
        for name, figure in figures.items():
            if not isinstance(figure, self.xp.ndarray):
                raise RuntimeError(f"the figure {name} is computed on the host")
            found = [place for place, mine in enumerate(self.given) if mine is figure]
            if not found:
                found = [len(self.given)]
                self.number(self.numbers.dtype if self.given else figure.dtype)[...] = figure
            if found[0] == NUMBERS:
                raise RuntimeError(f"the gradients need more than {NUMBERS} single numbers")
            self.places[name] = found[0]

    def named(self, numbers):
        """The figures, of an array like `numbers`."""
        return {name: numbers[place] for name, place in self.places.items()}

    def fill(self, inputs):
        """Copy what is new to where the graph will look for it."""
        for mine, new in zip(self.inputs, inputs, strict=True):
            mine[...] = new

    def launch(self, inputs):
        """function(*inputs). The figures are a copy: the next launch writes over its own."""
        self.fill(inputs)
        for draw, array in self.draws:
            array[...] = self.xp.asarray(draw(array.shape))
        self.launches.launch()
        return self.named(self.numbers[: len(self.given)].copy())


def why_not(game):
    """Why no step of this game can be captured, as far as can be said beforehand; or None."""
    if game.backend.ranks is not None:
        return "several processes add up on the host"
    who_sees_the_step = [type(game)]
    if game.regularizer is not None:
        who_sees_the_step.append(type(game.regularizer).penalize)
        if not game.regularizer.steady:
            return "the penalty's weight is another one at every step"
    for part in who_sees_the_step:
        if not part.__module__.startswith("minigan."):
            return f"{part.__qualname__} is not minigan's own, and may depend on the step's number"
    return "somebody has replaced game.update" if "update" in vars(game) else None


@cache
def say(why):
    """One line, once."""
    print(f"minigan: gradients are not captured as a CUDA graph: {why}", file=sys.stderr)
