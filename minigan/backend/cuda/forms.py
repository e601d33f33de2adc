"""The faster forms on a GPU: where one kernel does what a page says in several.

On a GPU every operation on arrays is a launch, which costs the host some microseconds, and reads
and writes its arrays in full. A form takes the part (a layer, an objective, an optimizer) where a
method takes `self`; the operations are those of `CupyBackend`. Tests find every form in `FORMS` and
`PAIRS` and compare it with its page. Not yet measured on a GPU.
"""

__all__ = ["FORMS", "PAIRS"]

# Dense -------------------------------------------------------------------------------------------


def dense_forward(layer, x, train, activation="identity", slope=0.0):
    y = layer.backend.matmul(x, layer.weight)
    return _biased(layer, y, activation, slope), x


def dense_backward(layer, dy, x):
    return layer.backend.matmul(dy, layer.weight.T)


def dense_add_gradients(layer, dy, x):
    layer.backend.add_product(layer.dweight, x.T, dy)
    _add_bias_gradient(layer, dy)


def dense_double_backward(layer, u, dy, x):
    layer.backend.add_product(layer.dweight, u.T, dy)
    return layer.backend.matmul(u, layer.weight), None


def _biased(layer, y, activation, slope):
    bias = layer.bias if layer.has_bias else None
    return _activated(layer.backend, y, bias, activation, slope)


def _activated(backend, y, bias, activation, slope):
    """f(y + b), in place."""
    if bias is None and activation == "identity":
        return y
    return backend.bias_activation(y, bias, activation, slope, out=y)


def _add_bias_gradient(layer, dy):
    if layer.has_bias:
        layer.backend.add_sum(layer.dbias, dy)


def set_gradients(network, dy, caches):
    """Written, not added to zeros, if all of a network's parameters are those of dense layers."""
    if dy.shape != (caches.count, *network.output_shape) or dy.dtype != network.dtype:
        network.add_gradients(dy, caches)  # which refuses it
    of_dense = [
        getattr(s.add_gradients, "func", None) is dense_add_gradients for s in network.steps
    ]
    if any(g and not d for g, d in zip(network.layer_gradients, of_dense, strict=True)):
        return type(network).set_gradients(network, dy, caches)
    layers = list(zip(network.layers, network.steps, of_dense, caches, strict=True))
    for layer, step, is_dense, cache in reversed(layers):
        if is_dense:
            layer.backend.matmul(cache.T, dy, out=layer.dweight)
            if layer.has_bias:
                layer.backend.sum_rows(dy, out=layer.dbias)
        dy = None if step is network.steps[0] else step.backward(dy, cache)
    return None


# Convolutions: windows in one kernel each way ----------------------------------------------------


def conv_forward(layer, x, train, activation="identity", slope=0.0):
    y, columns = layer.backend.conv(x, layer.weight, layer.stride, layer.padding)
    return _biased(layer, y, activation, slope), (columns, x.shape)


def conv_backward(layer, dy, cache):
    _, (_, *size, _) = cache
    geometry = layer.stride, layer.padding, tuple(size)
    return layer.backend.conv_grad_input(dy, layer.weight, *geometry)


def conv_add_gradients(layer, dy, cache):
    columns, _ = cache
    layer.backend.conv_grad_weight(columns, dy, layer.dweight)
    _add_bias_gradient(layer, dy)


def conv_double_backward(layer, u, dy, cache):
    u_dy, columns = layer.backend.conv(u, layer.weight, layer.stride, layer.padding)
    layer.backend.conv_grad_weight(columns, dy, layer.dweight)
    return u_dy, None


def transposed_forward(layer, x, train, activation="identity", slope=0.0):
    geometry = layer.stride, layer.padding, layer.output_size(x.shape[1:3])
    y = layer.backend.conv_grad_input(x, layer.weight, *geometry)
    return _biased(layer, y, activation, slope), x


def transposed_backward(layer, dy, x):
    return layer.backend.conv(dy, layer.weight, layer.stride, layer.padding)[0]


def transposed_add_gradients(layer, dy, x):
    columns = layer.backend.columns_of(dy, layer.kernel_size, layer.stride, layer.padding)
    layer.backend.conv_grad_weight(columns, x, layer.dweight)
    _add_bias_gradient(layer, dy)


def transposed_backpropagate(layer, dy, x):
    """Both at once: dy is unfolded once."""
    dx, columns = layer.backend.conv(dy, layer.weight, layer.stride, layer.padding)
    layer.backend.conv_grad_weight(columns, x, layer.dweight)
    _add_bias_gradient(layer, dy)
    return dx


def transposed_double_backward(layer, u, dy, x):
    columns = layer.backend.columns_of(dy, layer.kernel_size, layer.stride, layer.padding)
    layer.backend.conv_grad_weight(columns, u, layer.dweight)
    geometry = layer.stride, layer.padding, dy.shape[1:3]
    return layer.backend.conv_grad_input(u, layer.weight, *geometry), None


# Batch normalization in training: three kernels, and two -----------------------------------------


def batch_norm_forward(layer, x, train, activation="identity", slope=0.0):
    backend = layer.backend
    if not train or layer.count(x) < 2:  # which the page refuses
        y, cache = type(layer).forward(layer, x, train)
        return _activated(backend, y, None, activation, slope), cache
    y, centred, inverse = backend.batch_norm(
        *(x, layer.gamma, layer.beta, layer.running_mean, layer.running_var),
        *(layer.eps, layer.momentum, activation, slope),
    )
    return y, (centred, inverse, True)


def batch_norm_backward(layer, dy, cache):
    centred, inverse, train = cache
    if not train:
        return type(layer).backward(layer, dy, cache)
    return layer.backend.batch_norm_gradient(dy, centred, inverse, layer.gamma)


def batch_norm_backpropagate(layer, dy, cache):
    """Both at once: the sums are taken once."""
    first, second, train = cache
    if not train:  # x̂ and σ, as the page left them
        type(layer).add_gradients(layer, dy, cache)
        return type(layer).backward(layer, dy, cache)
    gradients = layer.dgamma, layer.dbeta
    return layer.backend.batch_norm_gradient(dy, first, second, layer.gamma, gradients)


# Activations -------------------------------------------------------------------------------------


def activation_forward(layer, x, train):
    y = layer.backend.bias_activation(x, None, _name(layer), _slope(layer))
    return y, y


def activation_backward(layer, dy, y):
    return layer.backend.activation_gradient(dy, y, _name(layer), _slope(layer))


def activation_double_backward(layer, u, dy, y):
    u_dy, name = activation_backward(layer, u, y), _name(layer)
    if name in ("relu", "leaky_relu"):
        return u_dy, None
    return u_dy, layer.backend.activation_curvature(u, dy, y, name)


def _name(layer):
    name = ACTIVATION_NAMES[type(layer).__name__]
    return "relu" if name == "leaky_relu" and _slope(layer) == 0 else name  # 0 · ∞ would be NaN


def _slope(layer):
    return getattr(layer, "negative_slope", 0.0)


ACTIVATION_NAMES = {
    "ReLU": "relu",
    "LeakyReLU": "leaky_relu",
    "Tanh": "tanh",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
}
ACTIVATION = {
    "forward": activation_forward,
    "backward": activation_backward,
    "double_backward": activation_double_backward,
}


# Two neighbours: the first does the work of both, the second hands it on -------------------------


def with_activation(first, second, x, train):
    """y of both, and the first one's cache."""
    return first.step.forward(x, train, _name(second), _slope(second))


def handed_on(layer, y, train):
    return y, y


# Losses: value, gradient and mean in one kernel --------------------------------------------------


def minimax_discriminator(objective, real_logits, fake_logits):
    objective.check(real_logits, "real_logits")
    objective.check(fake_logits, "fake_logits")
    rest = 1 - objective.real_label
    return objective.backend.logistic_loss(real_logits, fake_logits, 1, -1, rest)


def minimax_generator(objective, fake_logits, real_logits=None):
    objective.check(fake_logits, "fake_logits")
    return objective.backend.logistic_loss(fake_logits, None, -1, 1, 0)[:2]


def non_saturating_generator(objective, fake_logits, real_logits=None):
    objective.check(fake_logits, "fake_logits")
    return objective.backend.logistic_loss(fake_logits, None, 1, -1, 0)[:2]


# Updates: one kernel, which obeys the guard ------------------------------------------------------


def sgd_update(optimizer, w, g, lr):
    vectors = w, g, optimizer.state["velocity"]
    optimizer.network.backend.sgd(*vectors, lr, optimizer.momentum, optimizer.guard)


def rmsprop_update(optimizer, w, g, lr):
    vectors, constants = (w, g, optimizer.state["square"]), (lr, optimizer.alpha, optimizer.eps)
    optimizer.network.backend.rmsprop(*vectors, *constants, optimizer.guard)


def adam_update(optimizer, w, g, lr):
    vectors = w, g, optimizer.state["mean"], optimizer.state["square"]
    constants = lr, optimizer.beta1, optimizer.beta2, optimizer.eps, optimizer.steps
    optimizer.network.backend.adam(*vectors, *constants, optimizer.guard)


def average_interpolate(average, mean, w, rate):
    average.network.backend.interpolate(mean, w, rate, average.guard)


#: class -> method -> form
FORMS = {
    "minigan.layers.sequential.Sequential": {"set_gradients": set_gradients},
    "minigan.layers.dense.Dense": {
        "forward": dense_forward,
        "backward": dense_backward,
        "add_gradients": dense_add_gradients,
        "double_backward": dense_double_backward,
    },
    "minigan.layers.convolution.Conv2d": {
        "forward": conv_forward,
        "backward": conv_backward,
        "add_gradients": conv_add_gradients,
        "double_backward": conv_double_backward,
    },
    "minigan.layers.convolution.ConvTranspose2d": {
        "forward": transposed_forward,
        "backward": transposed_backward,
        "add_gradients": transposed_add_gradients,
        "backpropagate": transposed_backpropagate,
        "double_backward": transposed_double_backward,
    },
    "minigan.layers.normalization.BatchNorm": {
        "forward": batch_norm_forward,
        "backward": batch_norm_backward,
        "add_gradients": batch_norm_backpropagate,
        "backpropagate": batch_norm_backpropagate,
    },
    **{f"minigan.layers.activations.{name}": ACTIVATION for name in ACTIVATION_NAMES},
    "minigan.objectives.Minimax": {
        "discriminator": minimax_discriminator,
        "generator": minimax_generator,
    },
    "minigan.objectives.NonSaturating": {
        "discriminator": minimax_discriminator,
        "generator": non_saturating_generator,
    },
    "minigan.objectives.MaximumLikelihood": {"discriminator": minimax_discriminator},
    "minigan.optimizers.SGD": {"update": sgd_update},
    "minigan.optimizers.RMSProp": {"update": rmsprop_update},
    "minigan.optimizers.Adam": {"update": adam_update},
    "minigan.averaging.WeightAverage": {"interpolate": average_interpolate},
}

#: (class, class of the next layer) -> the forms of their forward methods, of which the first gets
#: both layers
PAIRS = {
    (f"minigan.layers.{first}", f"minigan.layers.activations.{second}"): (
        with_activation,
        handed_on,
    )
    for first in (
        "dense.Dense",
        "convolution.Conv2d",
        "convolution.ConvTranspose2d",
        "normalization.BatchNorm",
    )
    for second in ACTIVATION_NAMES
}
