"""The faster forms on a GPU: where one kernel does what a page says in several.

On a GPU every operation on arrays is a launch, which costs the host some microseconds, and reads
and writes its arrays in full. A form takes the part (a layer, an objective, an optimizer) where a
method takes `self`; the operations are those of `CupyBackend`. Tests find every form in `FORMS` and
compare it with its page. Not yet measured on a GPU.
"""

__all__ = ["FORMS"]

# Dense -------------------------------------------------------------------------------------------


def dense_forward(layer, x, train):
    backend = layer.backend
    y = backend.matmul(x, layer.weight)
    return _biased(layer, y), x


def dense_backward(layer, dy, x):
    return layer.backend.matmul(dy, layer.weight.T)


def dense_add_gradients(layer, dy, x):
    layer.backend.add_product(layer.dweight, x.T, dy)
    _add_bias_gradient(layer, dy)


def dense_double_backward(layer, u, dy, x):
    layer.backend.add_product(layer.dweight, u.T, dy)
    return layer.backend.matmul(u, layer.weight), None


def _biased(layer, y):
    if layer.has_bias:
        layer.backend.bias_activation(y, layer.bias, "identity", out=y)
    return y


def _add_bias_gradient(layer, dy):
    if layer.has_bias:
        layer.backend.add_sum(layer.dbias, dy)


# Convolutions: windows in one kernel each way ----------------------------------------------------


def conv_forward(layer, x, train):
    y, columns = layer.backend.conv(x, layer.weight, layer.stride, layer.padding)
    return _biased(layer, y), (columns, x.shape)


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


def transposed_forward(layer, x, train):
    geometry = layer.stride, layer.padding, layer.output_size(x.shape[1:3])
    return _biased(layer, layer.backend.conv_grad_input(x, layer.weight, *geometry)), x


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


# Batch normalization in training: three kernels and three ----------------------------------------


def batch_norm_forward(layer, x, train):
    if not train:
        return type(layer).forward(layer, x, train)
    backend = layer.backend
    y, centred, inverse, mean, var, count = backend.batch_norm(
        x, layer.gamma, layer.beta, layer.eps
    )
    layer.remember(mean, var, count)
    return y, (centred, inverse, True)


def batch_norm_gradients(layer, dy, cache):
    """dx, dγ, dβ."""
    first, second, train = cache
    if train:
        return layer.backend.batch_norm_gradient(dy, first, second, layer.gamma)
    sums = layer.backend.sum_rows
    return type(layer).backward(layer, dy, cache), sums(dy * first), sums(dy)


def batch_norm_backward(layer, dy, cache):
    return batch_norm_gradients(layer, dy, cache)[0]


def batch_norm_backpropagate(layer, dy, cache):
    dx, dgamma, dbeta = batch_norm_gradients(layer, dy, cache)
    layer.dgamma += dgamma
    layer.dbeta += dbeta
    return dx


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


# Losses: value and derivative in one kernel ------------------------------------------------------


def minimax_discriminator_terms(objective, r, f):
    softplus, s = objective.backend.softplus_with_gradient, objective.real_label
    (real, slope), (fake, d_fake) = softplus(-r), softplus(f)
    d_real = -slope
    if s < 1:
        real, d_real = real + (1 - s) * r, d_real + (1 - s)
    return real, fake, d_real, d_fake


def minimax_generator_terms(objective, f):
    value, slope = objective.backend.softplus_with_gradient(f)
    return -value, -slope


def non_saturating_generator_terms(objective, f):
    value, slope = objective.backend.softplus_with_gradient(-f)
    return value, -slope


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
        "discriminator_terms": minimax_discriminator_terms,
        "generator_terms": minimax_generator_terms,
    },
    "minigan.objectives.NonSaturating": {
        "discriminator_terms": minimax_discriminator_terms,
        "generator_terms": non_saturating_generator_terms,
    },
    "minigan.objectives.MaximumLikelihood": {"discriminator_terms": minimax_discriminator_terms},
    "minigan.optimizers.SGD": {"update": sgd_update},
    "minigan.optimizers.RMSProp": {"update": rmsprop_update},
    "minigan.optimizers.Adam": {"update": adam_update},
    "minigan.averaging.WeightAverage": {"interpolate": average_interpolate},
}
