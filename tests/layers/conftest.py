"""Networks on both backends of the CPU: the pages as they are written, and their faster forms."""

import functools

import pytest


@pytest.fixture(scope="session", params=["reference", "numpy"])
def randomized(randomized, request):
    """randomized(layers, input_shape, seed=0, **options), on each of the two backends."""
    return functools.partial(randomized, backend=request.param)
