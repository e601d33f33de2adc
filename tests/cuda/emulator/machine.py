"""The state of the emulated device: how it runs threads, and a log of what it was asked to do."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["EmulatorError", "machine"]


class EmulatorError(RuntimeError):
    """What would be a CUDA error, or a wrong result without any error, on a GPU."""


@dataclass
class Machine:
    """order: in which threads and blocks run: 0 rising, 1 falling, any other number shuffles.

    runs: whether kernels run at all; without, launches are only checked and counted. checks:
    whether each access to memory is checked; without, a mistake does its harm, as on a GPU.
    launches: (kernel, grid, block) of every launch. graphs: how many nodes each launched graph
    had; its kernels are among the launches. operations: the names of all that the host asked the
    device to do, in order: kernels, operations on arrays, with copies, graphs. (A large sum takes
    CuPy two launches; here it counts as one.) traffic: None, or a list to fill: (kernel, line,
    whether of shared memory, passes, the fewest possible) per instruction; see runtime.cpp.
    host_reads: what made the host wait for the device (`float(x)`, `x.get()`, ...), each with the
    place in the source that asked for it.
    """

    order: int = 0
    runs: bool = True
    checks: bool = True
    launches: list = field(default_factory=list)
    graphs: list = field(default_factory=list)
    operations: list = field(default_factory=list)
    traffic: list | None = None
    host_reads: list = field(default_factory=list)

    def log_host_read(self, what):
        frame = sys._getframe(1)
        while Path(frame.f_code.co_filename).parent == Path(__file__).parent:
            frame = frame.f_back
        self.host_reads.append(f"{what} at {frame.f_code.co_filename}:{frame.f_lineno}")


machine = Machine()
