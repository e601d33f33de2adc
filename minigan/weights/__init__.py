"""Networks that come with the package: trained by minigan itself, in files of `minigan.save`.

    G = mnist_generator()
    z = LATENT.sample(25, rng).astype("float32")
    digits = G(z)                                   # (25, 28, 28, 1) in [−1, 1]

Numbers are kept in float16, which changes no figure by more than its last digit. Each file is
named by its digest: the classifier's own, and the SHA-256 of the generator's file. Measured on
10,000 images as in `demos/results.py`:

    file                  digest    score  distance  precision  recall
    mnist_classifier.npz  bafdaabd   9.82      0.17      0.827   0.833  of real test images
    mnist_generator.npz   9df59ad7   9.58      0.45      0.811   0.762

The classifier reads 99.13 % of the test images correctly. To make both again (another processor
rounds differently: other numbers, and figures that differ as those of two seeds do):

    python -c "from minigan.metrics import mnist_classifier; mnist_classifier(cache='.')"
    python demos/mnist.py
    python -c "from minigan.runs.network_file import read_network, save
    G, notes = read_network('out/mnist/generator.npz')
    save(G, 'mnist_generator.npz', dtype='float16', notes=notes)"
"""

from pathlib import Path

from minigan.latent import MixtureLatent
from minigan.runs.network_file import load

__all__ = ["CLASSIFIER", "GENERATOR", "LATENT", "mnist_generator"]

HERE = Path(__file__).parent
CLASSIFIER, GENERATOR = HERE / "mnist_classifier.npz", HERE / "mnist_generator.npz"

#: The noise of the generator: how often each of its pieces is drawn, as D found at the end.
SHARES = (
    0.045, 0.052, 0.045, 0.055, 0.046, 0.056, 0.055, 0.049, 0.052, 0.043,
    0.049, 0.055, 0.054, 0.045, 0.051, 0.061, 0.050, 0.047, 0.042, 0.046,
)  # fmt: skip
LATENT = MixtureLatent(44, 20, weights=SHARES)


def mnist_generator(*, backend="numpy"):
    """The generator of handwritten digits of `demos/mnist.py`: noise (N, 44) -> (N, 28, 28, 1).

    Samples from noise of `LATENT` whose first 24 numbers are multiplied by 0.8 are clearer, and
    differ less.
    """
    return load(GENERATOR, backend=backend)
