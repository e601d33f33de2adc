"""Networks on both backends of the CPU: the pages as they are written, and their faster forms."""

import functools

import pytest


@pytest.fixture(scope="session", params=["reference", "numpy"])
def backend_name(request):
    """The name of each of the two backends."""
    return request.param


@pytest.fixture(scope="session")
def randomized(randomized, backend_name):
    """randomized(layers, input_shape, seed=0, **options), on each of the two backends."""
    return functools.partial(randomized, backend=backend_name)
