"""`python -m minigan`: where to begin."""

import argparse

from minigan import __version__

BEGIN = f"""\
minigan {__version__}: generative adversarial networks from scratch, every backward pass by hand.

To read, in this order:
  demos/minimal_gan.py           the game on one page
  minigan/gan.py                 the same with what a long run needs: one step of each player
  minigan/layers/network.py      the chain rule, and nothing else
  minigan/layers/dense.py        forward above backward; then convolution.py, normalization.py
  minigan/objectives.py          what the two players minimise, and with which sign
  minigan/regularizers.py        the gradient of a gradient, without autodiff
  minigan/diagnosis/gradcheck.py how all of it is checked

To run (demos/README.md has the whole course):
  python demos/minimal_gan.py          a GAN in 70 lines and ten seconds
  python demos/toy.py                  a GAN learns eight Gaussians, and you watch
  python demos/backprop_by_hand.py     every number of a forward and a backward pass
  python demos/digits.py               digits, from a generator that comes with the package
  python demos/lab.py                  the lab: change the game while it runs
  python demos/exercises/01_dense.py   write the backward passes yourself, and have them checked

To use:
  from minigan import GAN, gradcheck, train, xray
  print(xray(network, batch))          what is wrong with my network?
  print(gradcheck(layer, batch))       is my backward pass right?
  save(G, "mine.npz"); load("mine.npz")   a network in a file
  python -m minigan.backend            which machine will it run on?

minigan/README.md and demos/QUESTIONS.md answer questions by pointing at lines of code.
"""


def main(arguments=None):
    """Print where to begin, or the version."""
    parser = argparse.ArgumentParser("python -m minigan", description="Says where to begin.")
    parser.add_argument("--version", action="version", version=f"minigan {__version__}")
    parser.parse_args(arguments)
    print(BEGIN)


if __name__ == "__main__":
    main()
