"""Device memory: pools that give freed memory to the next array, as CuPy's do.

An array holds a `Lease` of a block, and with its last view the block goes back to its pool, which
hands it out again. A graph holds addresses and no lease: nobody keeps its memory for it.
"""

import bisect
import contextlib
import weakref
from collections import defaultdict

import numpy as np

__all__ = ["Pool", "allocate", "at", "block_of", "raw", "using_allocator"]

#: As in CuPy: what blocks begin at and their sizes are multiples of.
UNIT = 512


blocks, addresses = weakref.WeakValueDictionary(), []  # by address; the addresses, in order


class Block:
    """Memory of a pool. uses: how many arrays it has been given to, one after another."""

    def __init__(self, pool, size):
        memory = np.empty(size + UNIT, np.uint8)
        start = -memory.ctypes.data % UNIT
        self.memory, self.pool, self.uses = memory[start : start + size], weakref.ref(pool), 0
        self.address = self.memory.ctypes.data
        blocks[self.address] = self
        bisect.insort(addresses, self.address)


class Lease:
    """A block as long as somebody uses it: NumPy's arrays hold on to what they are a view of."""

    def __init__(self, pool, block):
        self.pool, self.block = pool, block
        interface = {"shape": block.memory.shape, "typestr": "|u1", "version": 3}
        self.__array_interface__ = interface | {"data": (block.address, False)}

    def __del__(self):
        self.pool.free[len(self.block.memory)].append(self.block)


class Pool:
    """Stands in for `cupy.cuda.MemoryPool`."""

    def __init__(self):
        self.free = defaultdict(list)

    def malloc(self, size):
        size = max(1, -(-size // UNIT)) * UNIT
        block = self.free[size].pop() if self.free[size] else Block(self, size)
        block.uses += 1
        return Lease(self, block)


allocators = [Pool().malloc]


@contextlib.contextmanager
def using_allocator(malloc):
    """New arrays get their memory from `malloc`."""
    allocators.append(malloc)
    try:
        yield
    finally:
        allocators.pop()


def allocate(shape, dtype):
    """An array of the emulated device, with poison in it: all bytes 255, which is NaN."""
    dtype = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
    memory = np.asarray(allocators[-1](size))
    memory.fill(255)
    return memory[:size].view(dtype).reshape(shape)


def block_at(address):
    """The block that an address is in; None for memory of the host."""
    while i := bisect.bisect_right(addresses, address):
        block = blocks.get(addresses[i - 1])
        if block is not None:
            return block if address < block.address + len(block.memory) else None
        del addresses[i - 1]  # of a pool that is gone
    return None


def block_of(array):
    return block_at(array.ctypes.data)


def at(address, shape, dtype, strides=None):
    """The array at an address, without a lease; ValueError if there is no memory for it."""
    block = block_at(address)
    if block is None:
        raise ValueError(f"no memory of the device at {address}")
    return np.ndarray(shape, dtype, block.memory, address - block.address, strides)


def raw(array):
    """The same numbers by their address, without a lease."""
    if block_of(array) is None:
        return array
    return at(array.ctypes.data, array.shape, array.dtype, array.strides)
