"""What the layers of a network do at the moment: for the picture of the model, and for one layer
under a magnifying glass. `xray` names what is wrong; the arrays shown are its activations and
gradients."""

import numpy as np

from minigan import xray

__all__ = ["architecture", "flow", "magnified"]

#: Samples that are sent through the networks; rows and columns of a heat map; bars of a histogram.
BATCH, SIDE, BARS = 128, 64, 31


def architecture(network):
    """One dict per layer: its name, its number of outputs and of parameters."""
    sizes = [shape[0] for shape in network.shapes[1:]]
    layers = zip(network.layers, sizes, strict=True)
    return [
        {
            "name": type(layer).__name__,
            "text": repr(layer),
            "outputs": size,
            "parameters": sum(view.size for view in layer.views.values()),
        }
        for layer, size in layers
    ]


def passes(experiment, player):
    """The network of "G" or "D", a batch for it, and its loss as `xray` takes it.

    For D the first half of the batch is real, the second half fake.
    """
    gan = experiment.gan
    z = gan.asarray(experiment.z[:BATCH])
    if player == "G":
        real = experiment.to_networks(experiment.real[:BATCH])
        return gan.generator, z, lambda fake: gan.feedback(fake, real)
    half = BATCH // 2
    fake = gan.asarray(gan.generate(experiment.z[:half]))
    real = experiment.to_networks(experiment.real[:half])

    def loss(logits):
        value, d_real, d_fake = gan.objective.discriminator(logits[:half], logits[half:])
        return value, gan.backend.xp.concatenate([d_real, d_fake])

    return gan.discriminator, gan.backend.xp.concatenate([real, fake]), loss


def flow(experiment):
    """Player -> per layer, the root mean square of its outputs and of the gradients that reach
    them, both per sample, and the number of dead units; and what `xray` finds, in sentences."""
    found = {}
    for player in "GD":
        network, x, loss = passes(experiment, player)
        report = xray(network, x, loss, check=False)
        numbers = [
            {
                "value": layer.output.norm / np.sqrt(np.prod(layer.output_shape)),
                "gradient": layer.gradient.norm * np.sqrt(len(x)),
                "dead": len(layer.dead),
            }
            for layer in report.layers
        ]
        found[player] = {"layers": numbers, "findings": list(report.findings)}
    return found


def magnified(experiment, player, position):
    """The arrays of one layer: weights, activations and gradients, each as a map and histogram."""
    network, x, loss = passes(experiment, player)
    layer = network.layers[position]
    y, caches = network.forward(x, train=False)
    _, trace = network.backward_trace(loss(y)[1], caches)
    outputs, _ = network[: position + 1].forward(x, train=False)
    twin = network.clone()
    twin.set_gradients(loss(y)[1], twin.forward(x, train=False)[1])
    gradients = twin.named_gradients()
    shown = {"outputs, one row per sample": outputs, "gradients that reach them": trace[position]}
    for name, weight in network.named_parameters().items():
        if name.split(".")[0] == str(position):
            kind = name.split(".", 1)[1]
            shown[kind], shown[f"gradient of the {kind}"] = weight, gradients[name]
    arrays = {name: network.backend.to_numpy(array) for name, array in shown.items()}
    return {
        "player": player, "position": position, "name": repr(layer),
        "arrays": {name: summary(array) for name, array in arrays.items()},
    }  # fmt: skip


def summary(array):
    """A map of at most SIDE × SIDE of its numbers, and how all of them are distributed."""
    array = np.atleast_2d(np.asarray(array, np.float64))
    finite = array[np.isfinite(array)]
    counts, edges = np.histogram(finite if finite.size else [0.0], BARS)
    return {
        "shape": list(array.shape), "map": array[:SIDE, :SIDE], "counts": counts.tolist(),
        "low": float(edges[0]), "high": float(edges[-1]),
        "mean": float(finite.mean()) if finite.size else 0.0,
        "std": float(finite.std()) if finite.size else 0.0,
        "zeros": float((array == 0).mean()), "broken": int(array.size - finite.size),
    }  # fmt: skip
