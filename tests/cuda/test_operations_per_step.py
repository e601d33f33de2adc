"""How many operations the device is asked for in one step, without and with CUDA graphs.

Each costs the host some microseconds, and the device at least two, however little it does. The
networks are those of tests/benchmarks, with real and fake samples as two batches; the noise is on
the device already.
"""

import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import gpu
import minigan_peer
from workloads import WORKLOADS, batches

#: As tests/benchmarks/README.md says.
MOST = {"W1": 80, "W2": 90, "W3": 130}
MOST_BY_GRAPHS = {"W1": 12, "W3": 22}
MOST_NODES = {"W1": 80, "W3": 120}


def operations(name, backend, machine):
    """The names of all operations of a step, after a first one. No kernel runs, which is cheap."""
    workload = WORKLOADS[name]
    on_device = [tuple(map(backend.asarray, arrays)) for arrays in batches(workload, 1)]
    step = minigan_peer.stepper(workload, on_device, backend=backend)
    machine.runs = False
    step(0)
    machine.operations.clear()
    step(1)
    return Counter(machine.operations)


@pytest.mark.parametrize("name", MOST)
def test_operations_per_step(name, emulated, emulator):
    found = operations(name, emulated, emulator.machine)
    assert 30 < found.total() <= MOST[name], (found.total(), found)


@pytest.mark.parametrize("name", ["W1", pytest.param("W3", marks=pytest.mark.slow)])
def test_operations_beside_the_graphs(name, emulated, emulator):
    """Two graphs, with copies of their inputs and figures, guards, updates, statistics."""
    emulator.machine.runs = False
    step = gpu.graph_step(WORKLOADS[name], emulated)
    for i in range(3):  # rehearsed, captured, launched
        step(i)
    emulator.machine.operations.clear()
    emulator.machine.graphs.clear()
    step(3)
    found, nodes = Counter(emulator.machine.operations), sum(emulator.machine.graphs)
    assert 30 < nodes <= MOST_NODES[name], emulator.machine.graphs
    assert found["graph"] == 2 and found.total() <= MOST_BY_GRAPHS[name], found
