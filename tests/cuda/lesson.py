"""See a race: reverse 256 numbers through shared memory, with and without a barrier. No GPU needed.

python tests/cuda/lesson.py
"""

from pathlib import Path

import emulator
import numpy as np

SOURCE = Path(__file__).with_name("mistakes.cu").read_text(encoding="utf-8")
ORDERS = {"rising": 0, "falling": 1, "shuffled": 7}

names = ["no_barrier<false>", "no_barrier<true>"]
module = emulator.RawModule(code=SOURCE, options=("-std=c++17",), name_expressions=names)


def reverse(name, order):
    """What becomes of 0 1 2 ... 255, if threads start in that order; or the error."""
    emulator.machine.order = ORDERS[order]
    x = emulator.asarray(np.arange(256, dtype=np.float32))
    try:
        module.get_function(name)((1,), (256,), (x,))
    except emulator.EmulatorError as error:
        return str(error)
    first, last = (" ".join(f"{n:3.0f}" for n in part.get()) for part in (x[:5], x[-5:]))
    return f"{first} ... {last}"


for title, name, checks in [
    ("With a barrier the order of threads does not matter", names[0], True),
    ("Without, as on a GPU: nan is what nobody had written yet", names[1], False),
    ("Without, and the emulator looks on", names[1], True),
]:
    emulator.machine.checks = checks
    print(f"{title}:")
    for order in ORDERS:
        print(f"  {order:>8}: {reverse(name, order)}")
