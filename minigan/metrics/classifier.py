"""A classifier of MNIST digits, trained by minigan itself, for the score and the Fréchet distance.

The literature's scores use an Inception network that was trained on photographs; for digits a
classifier of digits is better. Any classifier will do, but figures from different ones are not
comparable, so that the one of seed 0 comes with the package (`minigan.weights`), the same on every
machine. Its digest, the SHA-256 of its numbers, names it.

    classifier = mnist_classifier()
    probabilities, features = classifier(images)         # (N, 10), (N, 128)
    inception_score(probabilities), frechet_distance(features, classifier(real_images)[1])

Another seed, or a folder `cache=`, trains one (two to three minutes on one core, 99.1 % of the test
images) and keeps it there. On one machine training gives the same bits again (with one thread for
matrix products, so that the number of cores does not matter). Another processor or another BLAS
rounds differently, training amplifies that, and the digest differs; then figures differ as those of
two seeds do. Measured for seeds 0 and 1, the distance from 10,000 training images:

    images                                   score          Fréchet distance
    10,000 test images                       9.82   9.82     0.33   0.32
    200 of one GAN                           6.35   6.33    18.3   18.0
    200 of another                           4.85   4.74    29.5   30.9
    test images with noise (0.3) added       8.26   6.52    19.9   31.9

So they differ by a few per cent for images that look like digits, but much more for images unlike
any that the two have seen. Quote the digest and the figures of test images with every result.
"""

import hashlib
import json
import sys
import warnings
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import log_softmax, softmax
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from minigan.checks import check_integer
from minigan.data import Batches, load_mnist
from minigan.data.mnist import cache_dir
from minigan.files import expanded
from minigan.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, LeakyReLU, ReLU, Sequential
from minigan.optimizers import Adam, LinearDecay
from minigan.runs.archive import CheckpointError
from minigan.runs.network_file import read_network, save
from minigan.weights import CLASSIFIER

__all__ = [
    "Classifier",
    "ClassifierError",
    "load_classifier",
    "mnist_classifier",
    "save_classifier",
    "softmax_cross_entropy",
    "train_classifier",
]

CLASSES, FEATURES = 10, 128
BATCH, LR, STEPS = 100, 2e-3, 6000  # ten epochs
STORED = np.float16  # half the room, and the figures are the same to the digits that are shown
CHUNK = 500  # images that are classified together: their activations take some 30 MB


class ClassifierError(RuntimeError):
    """A file does not hold a classifier; the message names it and the reason."""


def softmax_cross_entropy(logits, labels):
    """−mean log p(label) for logits z (N, K) and labels (N,), and its gradient, (N, K).

    p = softmax(z) = eᶻ / Σ eᶻ, so that −log p_y = log Σₖ exp zₖ − z_y, whose derivative by zₖ is
    pₖ − [k = y]: what was answered minus what would have been right. The 1/N is in the gradient.
    """
    rows = np.arange(len(logits))
    loss = -log_softmax(logits, axis=1)[rows, labels].mean()
    d_logits = softmax(logits, axis=1)
    d_logits[rows, labels] -= 1
    d_logits /= len(logits)
    return loss, d_logits


def digit_network(rng):
    """Images (N, 28, 28, 1) in [−1, 1] -> logits (N, 10); 28 × 28, then 14 × 14, then 7 × 7."""
    few, many = 32, 64
    layers = [Conv2d(1, few, 4, stride=2, padding=1, bias=False), BatchNorm(few), LeakyReLU(0.1)]
    layers += [Conv2d(few, many, 4, stride=2, padding=1, bias=False), BatchNorm(many)]
    layers += [LeakyReLU(0.1), Flatten(), Dense(7 * 7 * many, FEATURES, bias=False)]
    layers += [BatchNorm(FEATURES), ReLU(), Dropout(0.5), Dense(FEATURES, CLASSES)]
    return Sequential(layers, (28, 28, 1), rng=rng)


@dataclass(frozen=True)
class Classifier:
    """A trained network that maps images to answers and features.

    network: a `Sequential` that ends in logits (N, K); the input of its last layer are the
    features. recipe: how it was trained, as text. accuracy: the share of test images that it
    classifies correctly; NaN if that was not measured.
    """

    network: Sequential
    recipe: str
    accuracy: float

    def __call__(self, images):
        """p(y|x) (N, 10) float64 and features (N, 128) float32 of images (N, 28, 28, 1) in [−1, 1].

        TypeError or ValueError for other images, in particular pixels in [0, 255].
        """
        images = self._check(images)
        features_of, answer = self.network[:-1], self.network[-1:]
        probabilities, features = [], []
        for start in range(0, len(images), CHUNK):
            seen, _ = features_of.forward(images[start : start + CHUNK], train=False)
            logits, _ = answer.forward(seen, train=False)
            probabilities.append(softmax(logits.astype(np.float64), axis=1))
            features.append(seen)
        return np.concatenate(probabilities), np.concatenate(features)

    @cached_property
    def digest(self):
        """The name of these weights: SHA-256, in hexadecimal, of the layers and all numbers."""
        content = hashlib.sha256(repr(self.network).encode())
        for vector in (self.network.parameters, self.network.buffers):
            content.update(vector.astype("<f4").tobytes())
        return content.hexdigest()

    def _check(self, images):
        if not isinstance(images, np.ndarray):
            raise TypeError(f"images: expected a NumPy array, got {type(images).__name__}")
        shape = self.network.input_shape
        if images.dtype.kind != "f" or images.shape[1:] != shape or len(images) == 0:
            wanted = ", ".join(map(str, ("N", *shape)))
            found = f"{images.dtype} {images.shape}"
            raise ValueError(f"images: expected floats ({wanted}) with N > 0, got {found}")
        low, high = images.min(), images.max()
        if not -1.001 <= low <= high <= 1.001:  # NaN fails too
            raise ValueError(f"images: expected values in [-1, 1], got {low:g} to {high:g}")
        return images.astype(self.network.dtype, copy=False)


def train_classifier(network, images, labels, *, steps, seed=0):
    """Train `network` on images (N, H, W, C) and labels (N,): Adam, falling rate, cross-entropy.

    The order of the batches comes from `seed`. It runs in one thread, for the same bits on any
    number of cores, and shows a progress bar on a terminal.
    """
    batches = Batches((images, labels), BATCH, np.random.default_rng(seed))
    optimizer = Adam(network, LR, betas=(0.9, 0.999))
    schedule = LinearDecay(check_integer("steps", steps, 1), hold=0)
    with threadpool_limits(1, user_api="blas"):
        disable = sys.stderr is None or None  # no bar without a terminal
        for step in (bar := tqdm(range(steps), desc="training the classifier", disable=disable)):
            x, y = next(batches)
            logits, caches = network.forward(x)
            loss, d_logits = softmax_cross_entropy(logits, y)
            network.zero_gradients()
            network.add_gradients(d_logits, caches)
            optimizer.step(schedule(step))
            if step % 100 == 0:
                bar.set_postfix_str(f"loss {loss:.3f}")


def mnist_classifier(seed=0, *, steps=STEPS, data_dir=None, cache=None):
    """The classifier of digits that comes with the package; or another, trained once.

    seed: of the initial weights, the dropout and the order of the batches. steps: of training;
    6,000 reach 99 % on the test images. data_dir: where MNIST is, see `minigan.data.load_mnist`;
    needed only for training. cache: the folder for the weights of a classifier that is trained; by
    default, `classifiers` in the folder where `load_mnist` keeps its downloads.

    A file in the cache that is broken, or was made by another recipe, is reported by a
    RuntimeWarning and replaced. MnistError if MNIST is needed and missing.
    """
    if (seed, steps, cache) == (0, STEPS, None):
        return load_classifier(CLASSIFIER)
    network = digit_network(np.random.default_rng(check_integer("seed", seed, 0)))
    recipe = {"layers": repr(network), "seed": seed, "steps": steps, "batch": BATCH, "lr": LR}
    recipe = json.dumps(recipe | {"stored": STORED.__name__})
    folder = cache_dir() / "classifiers" if cache is None else expanded(cache)
    path = folder / f"mnist-{seed}-{steps}.npz"
    if path.exists():
        try:
            return load_classifier(path, recipe)
        except ClassifierError as error:
            warnings.warn(f"{error}\nTraining it again.", RuntimeWarning, stacklevel=2)
    images, labels = load_mnist("train", data_dir)
    train_classifier(network, images, labels, steps=steps, seed=seed)
    for vector in (network.parameters, network.buffers):
        vector[...] = vector.astype(STORED)  # so that it is the same before and after a file
    images, labels = load_mnist("test", data_dir)
    answers, _ = Classifier(network, recipe, np.nan)(images)
    accuracy = float((answers.argmax(axis=1) == labels).mean())
    folder.mkdir(parents=True, exist_ok=True)
    save_classifier(Classifier(network, recipe, accuracy), path, dtype=STORED)
    return load_classifier(path, recipe)


def save_classifier(classifier, path, dtype=None):
    """Write the network, the recipe, the accuracy and the digest to `path`, as `minigan.save`."""
    notes = {name: getattr(classifier, name) for name in ("recipe", "accuracy", "digest")}
    save(classifier.network, path, dtype=dtype, notes=notes)


def load_classifier(path, recipe=None):
    """The classifier in `path`.

    ClassifierError, naming the file and the reason, if it cannot be read, was made by another
    recipe than `recipe`, or does not have the digest that it names.
    """
    try:
        network, notes = read_network(path)
        found, accuracy = notes["recipe"], float(notes["accuracy"])
    except CheckpointError as error:
        raise ClassifierError(str(error)) from None
    except OSError as error:
        raise ClassifierError(f"{path}: cannot be read: {error}") from None
    except (LookupError, TypeError, ValueError) as error:
        raise ClassifierError(f"{path}: holds no classifier: {error!r}") from None
    if recipe not in (None, found):
        raise ClassifierError(f"{path}: made by another recipe: {found}")
    classifier = Classifier(network, found, accuracy)
    if classifier.digest != notes.get("digest"):
        raise ClassifierError(
            f"{path}: the weights are damaged: their digest is {classifier.digest}, "
            f"the file says {notes.get('digest')}"
        )
    return classifier
