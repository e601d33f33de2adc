"""Streams and graphs: what is asked for while a stream is captured is noted, and not done.

A graph is a list of kernels with the bytes of their arguments, and of operations on arrays with
the addresses of what they read and write. As in CuPy, what needs the host is refused meanwhile.
"""

import numpy as np

from .machine import EmulatorError, machine
from .memory import allocate, block_of, raw

__all__ = ["Graph", "Stream", "capturing", "get_current_stream", "operate", "refuse"]

CAPTURING = "the current stream is capturing, so"


class Stream:
    """Stands in for `cupy.cuda.Stream`. Work of all streams is done in the order it is given."""

    def __init__(self, null=False, non_blocking=False):
        self.ptr = 0 if null else id(self)
        self.graph = None

    def __enter__(self):
        current.append(self)
        return self

    def __exit__(self, *error):
        current.pop()

    def begin_capture(self, mode=None):
        if self.ptr == 0:
            raise RuntimeError("cannot capture on the default (legacy) stream")
        self.graph = Graph()

    def end_capture(self):
        graph, self.graph = self.graph, None
        if graph is None:
            raise RuntimeError("cudaErrorIllegalState: the stream is not capturing")
        graph.end()
        return graph

    def is_capturing(self):
        return self.graph is not None

    def synchronize(self):
        refuse("synchronous API calls are disallowed")


Stream.null = Stream(null=True)
current = [Stream.null]


def get_current_stream():
    return current[-1]


def capturing():
    """The graph that is being captured on the current stream, or None."""
    return current[-1].graph


def refuse(what):
    """What a captured stream cannot do."""
    if capturing() is not None:
        raise RuntimeError(f"{CAPTURING} {what}")


class Graph:
    """Stands in for `cupy.cuda.Graph`. nodes: what is done at each launch, in order."""

    def __init__(self):
        self.nodes, self.blocks, self.uses = [], set(), {}

    def note(self, node, arrays):
        """Another node, and the arrays that it reads or writes."""
        self.nodes.append(node)
        self.blocks |= {block for block in map(block_of, arrays) if block is not None}

    def end(self):
        self.uses = {block: block.uses for block in self.blocks}

    def launch(self, stream=None):
        if capturing() is not None:
            raise EmulatorError("a launch of a graph in a graph is not emulated")
        if machine.checks:
            self.check_memory()
        machine.graphs.append(len(self.nodes))
        machine.operations.append("graph")
        with np.errstate(all="ignore"):
            for node in self.nodes:
                node()

    def check_memory(self):
        """On a GPU, nobody would know: numbers of others are read, and written over."""
        for block, uses in self.uses.items():
            if block.pool() is None:
                raise EmulatorError("the graph uses memory whose pool is gone")
            if block.uses != uses:
                raise EmulatorError("the graph uses memory that has since been given to others")


# Operations of NumPy on device memory -------------------------------------------------------------


def operate(function, args, kwargs, target=None):
    """function(*args, **kwargs) on arrays of device memory: done now, or noted in a graph.

    target: the array that is changed, of a function that changes one. The result is memory of the
    device, too: a view of what was given, or new.
    """
    graph, given = capturing(), arrays_of((args, kwargs))
    if graph is None:
        found = function(*args, **kwargs)
        result = on_device(found, given)
        if target is not None or result is not found:  # and no view
            machine.operations.append(function.__name__)
        return result
    unleased, unleased_kwargs = without_lease(args), without_lease(kwargs)
    if target is not None:
        graph.note(lambda: function(*unleased, **unleased_kwargs), given)
        return target
    with np.errstate(all="ignore"):
        found = function(*args, **kwargs)  # for its shape; the numbers are not there yet
    result = on_device(found, given)
    if result is found or isinstance(result, list):  # views, made by the host alone
        return result
    result.reshape(-1).view(np.uint8).fill(255)
    place = raw(result)

    def node():
        place[...] = function(*unleased, **unleased_kwargs)

    graph.note(node, [*given, result])
    return result


def on_device(result, given):
    """Results in memory of the device; those that are views of what was given, as they are."""
    if isinstance(result, list | tuple):
        return type(result)(on_device(part, given) for part in result)
    if not isinstance(result, np.ndarray | np.generic):
        return result
    if isinstance(result, np.ndarray) and (
        result.size == 0 or any(np.may_share_memory(result, x) for x in given)
    ):
        return result
    place = allocate(np.shape(result), result.dtype)
    place[...] = result
    return place


def arrays_of(arguments):
    """All arrays in nested arguments."""
    if isinstance(arguments, np.ndarray):
        return [arguments]
    if isinstance(arguments, dict):
        arguments = list(arguments.values())
    if isinstance(arguments, list | tuple):
        return [array for part in arguments for array in arrays_of(part)]
    return []


def without_lease(arguments):
    """The same arguments, by address."""
    if isinstance(arguments, np.ndarray):
        return raw(arguments)
    if isinstance(arguments, dict):
        return {name: without_lease(part) for name, part in arguments.items()}
    if isinstance(arguments, list | tuple):
        return type(arguments)(map(without_lease, arguments))
    return arguments
