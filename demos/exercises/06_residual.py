"""Exercise 6: gradients add where paths meet. 15 minutes.

A residual block leads x past a small network f, and adds both:

    y = x + f(x)          x, y (N, C)

It has no numbers of its own; f is a network like that of exercise 5:

    y, caches = f.forward(x, train)     dx = f.backward(dy, caches)     f.add_gradients(dy, caches)

Question: there are two ways from x to y, and so two ways by which a number of x moves the loss. If
both are open at once, by how much does L grow per unit of x?

    given       dy = ∂L/∂y (N, C)
    to find     dx = ∂L/∂x (N, C), and the gradients of f

Then think of a hundred such blocks, one after another, and of an f that lets hardly anything
through. What reaches the first block? (He et al. 2015, arXiv:1512.03385, made networks a hundred
layers deep with it.)
"""

from checker import check


def forward(f, x, train):
    """y, and the cache for the two functions below."""
    y = ...
    cache = ...
    return y, cache


def backward(f, dy, cache):
    """dx (N, C)."""
    dx = ...
    return dx


def add_gradients(f, dy, cache):
    """Let f add to the gradients of its parameters."""
    ...


if __name__ == "__main__":
    check(__file__)
