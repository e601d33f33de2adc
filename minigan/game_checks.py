"""Do a game's parts fit each other? Asked when a game is built, in one wording for all games."""

import numpy as np

from minigan.layers import BatchNorm, Block, Reshape, Sequential, Sigmoid, SpectralNorm, Tanh
from minigan.layers.affine import Affine
from minigan.optimizers import Optimizer
from minigan.regularizers import Regularizer
from minigan.trial import got, try_regularizer

__all__ = [
    "as_samples",
    "check_discriminator",
    "check_kinds",
    "check_networks",
    "check_not_centred",
    "check_optimizers",
    "check_pair_of",
    "check_reach",
]


#: Samples that reach further are in other units: a generator's tanh ends at 1.
FAR = 10

NETWORK = (lambda part: isinstance(part, Sequential), "a Sequential")
KINDS = {
    "generator": NETWORK,
    "discriminator": NETWORK,
    "schedule": (callable, "a function of the step"),
    "latent": (lambda part: hasattr(part, "dimension"), "a distribution such as NormalLatent(2)"),
    "regularizer": (lambda part: part is None or isinstance(part, Regularizer), "a Regularizer"),
}


def check_kinds(**parts):
    """TypeError unless each part, given by its name in `KINDS`, is of that kind."""
    for name, part in parts.items():
        holds, expected = KINDS[name]
        if isinstance(part, type) or not holds(part):
            raise TypeError(f"{name}: expected {expected}, got {got(part)}")


def check_optimizers(pairs):
    """Each name's (optimizer, network): an `Optimizer` that was made for this network."""
    for name, (optimizer, network) in pairs.items():
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{name}: expected an Optimizer, got {got(optimizer)}")
        if optimizer.network is not network:
            raise ValueError(f"{name} has another network")


def check_networks(networks, objective):
    """name -> network: no network twice, one dtype, and one backend, the objective's too."""
    named = list(networks.items())
    for i, (name, network) in enumerate(named):
        for other, earlier in named[:i]:
            if network is earlier:
                raise ValueError(f"{other} and {name} are the same network")
    if any(network.backend is not objective.backend for network in networks.values()):
        backends = ", ".join(repr(part.backend) for part in [*networks.values(), objective])
        raise ValueError(
            f"{', '.join(networks)} and objective must share one backend, got {backends}"
        )
    if len({network.dtype for network in networks.values()}) > 1:
        dtypes = ", ".join(f"{name} {network.dtype}" for name, network in named)
        raise ValueError(f"dtypes differ: {dtypes}")


def check_discriminator(name, network, objective, regularizer):
    """Ends in logits, and has the constraint that the objective needs; regularizer may be None."""
    if network.output_shape != (1,):
        raise ValueError(f"the {name} must end in (1,), not {network.output_shape}")
    *_, last = _acting_layers(network) or [None]
    if isinstance(last, Sigmoid):
        raise ValueError(f"the {name} ends in a Sigmoid, but objectives take logits: leave it out")
    if regularizer is not None:
        try_regularizer(regularizer, network)
        regularizer.check(network)
    elif objective.needs_constraint:
        raise ValueError(
            f"{objective!r} has no minimum without a Lipschitz constraint: "
            f"pass regularizer=WeightClipping(0.01), say"
        )
    if objective.needs_constraint:  # its losses are means of the logits
        check_not_centred(network, f"the {name}'s logits")


def check_not_centred(chain, what):
    """Refuse outputs whose mean over the batch is the same for every batch in training.

    Batch norm of vectors gives every batch the mean β, and what only adds and multiplies after it
    gives every batch one mean, too: no loss of means can tell real samples from fakes by it.
    """
    for layer, shape in zip(reversed(chain.layers), reversed(chain.shapes[:-1]), strict=True):
        if isinstance(layer, BatchNorm) and len(shape) == 1:
            raise ValueError(
                f"{what} come from {layer!r} through linear layers alone, so that their mean over "
                "a batch is the same for real samples and fakes: nothing can be learnt from it"
            )
        if not isinstance(layer, Affine | SpectralNorm | Reshape):
            return


def check_reach(generator, x, what):
    """Refuse samples far outside of what a generator that ends in tanh or a sigmoid can make."""
    *_, last = _acting_layers(generator) or [None]
    if not isinstance(last, Tanh | Sigmoid) or getattr(x, "dtype", None) is None:
        return
    if x.dtype.kind == "f" and x.size and (largest := float(abs(x).max())) > FAR:
        raise ValueError(
            f"{what}: the generator ends in {last!r} and reaches 1 at most, but the samples reach "
            f"{largest:g}: scale them, as in x / 127.5 - 1 for pixels from 0 to 255"
        )


def _acting_layers(chain):
    """The layers that change numbers, not only shapes; of a block, those inside."""
    layers = []
    for layer in chain.layers:
        layers += _acting_layers(layer) if isinstance(layer, Block) else [layer]
    return [layer for layer in layers if not isinstance(layer, Reshape)]


def check_pair_of(names, batch):
    """The two parts of a batch of a game that is fed pairs, such as (x, labels)."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(f"batches: expected pairs {names}, got {type(batch).__name__}")
    return batch


def as_samples(batch, shape, dtype, what):
    """A host array (N, *shape) of that dtype; ValueError or TypeError, in words, for others."""
    if isinstance(batch, tuple):
        raise TypeError(
            f"{what}: expected one array, got a tuple of {len(batch)} (pairs of samples and labels "
            "are for ConditionalGAN, pairs of samples for CycleGAN)"
        )
    if isinstance(batch, np.ma.MaskedArray):
        raise TypeError(f"{what}: expected a plain array, got a masked one: fill it or select rows")
    batch = np.asarray(batch)
    if batch.dtype.kind != "f":
        raise TypeError(
            f"{what}: expected floating-point numbers, got {batch.dtype}: scale pixels to floats"
        )
    if batch.shape[1:] != shape or batch.ndim != len(shape) + 1 or len(batch) == 0:
        wanted = ", ".join(map(str, ("N", *shape)))
        raise ValueError(f"{what}: expected shape ({wanted}) with N > 0, got {batch.shape}")
    return batch if batch.dtype == dtype else batch.astype(dtype)
