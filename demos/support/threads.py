"""How many threads compute: one rule for all demos.

Matrix products run on one thread. NumPy's library would take one per core, and its threads wait
for each other in a busy loop: where another program needs a core, all of them wait for that one.
A demo of convolutions then falls from 39 steps per second to 3; on one thread it stays near 39.
--processes uses more cores, and lets others have them while it waits (`minigan/ranks.py`).

Products on another number of threads are added up in another order, so that the last bits of a run
differ, and after some hundred steps of a game all of them. With one thread, they are the same on
any number of cores. --threads takes more, for a calm machine; it stands in metrics.json and in the
checkpoint, and a run is not resumed with another number.
"""

from threadpoolctl import threadpool_limits

from minigan.backend.blas import describe_blas

__all__ = ["limit_threads"]


def limit_threads(count):
    """Matrix products run on `count` threads from here on; what they run on, as a sentence."""
    threadpool_limits(count, user_api="blas")
    return f"Matrix products: {describe_blas()}."
