"""Students: how one of them solved each exercise, and files with these lines in place of blanks."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / "demos" / "exercises"

SOLUTIONS = {
    "01_dense": {
        "Dense.forward": "return x @ self.weight, x",
        "Dense.backward": "return dy @ self.weight.T",
        "Dense.add_gradients": "self.dweight += x.T @ dy",
    },
    "02_bias": {
        "Bias.forward": "return x + self.bias, None",
        "Bias.backward": "return dy",
        "Bias.add_gradients": "self.dbias += dy.sum(axis=0)",
    },
    "03_activations": {
        "ReLU.forward": "y = np.where(x > 0, x, 0)\nreturn y, y",
        "ReLU.backward": "return dy * (y > 0)",
        "LeakyReLU.forward": "y = np.where(x > 0, x, self.negative_slope * x)\nreturn y, y",
        "LeakyReLU.backward": "return np.where(y > 0, dy, self.negative_slope * dy)",
        "Tanh.forward": "y = np.tanh(x)\nreturn y, y",
        "Tanh.backward": "return dy * (1 - y**2)",
    },
    "04_loss": {
        "softplus": "return np.maximum(v, 0) + np.log1p(np.exp(-abs(v)))",
        "sigmoid": "return np.exp(-softplus(-v))",
        "discriminator": (
            "loss = softplus(-r).mean() + softplus(f).mean()\n"
            "return loss, -sigmoid(-r) / len(r), sigmoid(f) / len(f)"
        ),
        "generator": "return softplus(-f).mean(), -sigmoid(-f) / len(f)",
    },
    "05_chain_rule": {
        "Sequential.forward": (
            "caches = Caches()\n"
            "for layer in self.layers:\n"
            "    x, cache = layer.forward(x, train)\n"
            "    caches.append(cache)\n"
            "caches.count = len(x)\n"
            "return x, caches"
        ),
        "Sequential.backward": (
            "for i in reversed(range(len(self.layers))):\n"
            "    dy = self.layers[i].backward(dy, caches[i])\n"
            "return dy"
        ),
        "Sequential.add_gradients": (
            "for i in reversed(range(len(self.layers))):\n"
            "    self.layers[i].add_gradients(dy, caches[i])\n"
            "    dy = self.layers[i].backward(dy, caches[i])"
        ),
    },
    "06_residual": {
        "Residual.forward": "y, cache = self.residual.forward(x, train)\nreturn y + x, cache",
        "Residual.backward": "return self.residual.backward(dy, cache) + dy",
        "Residual.add_gradients": "self.residual.add_gradients(dy, cache)",
    },
    "07_batch_norm": {
        "BatchNorm.forward": (
            "mean, var = self.batch_statistics(x) if train else (self.running_mean, 1)\n"
            "sigma = (var + self.eps) ** 0.5\n"
            "normalized = (x - mean) / sigma\n"
            "return self.gamma * normalized + self.beta, (normalized, sigma, train)"
        ),
        "BatchNorm.backward": (
            "normalized, sigma, train = cache\n"
            "N = len(dy)\n"
            "d_normalized = dy * self.gamma\n"
            "s = N * d_normalized - d_normalized.sum(0)\n"
            "s = s - normalized * (d_normalized * normalized).sum(0)\n"
            "return s / (N * sigma)"
        ),
        "BatchNorm.add_gradients": (
            "self.dgamma += (dy * cache[0]).sum(axis=0)\nself.dbeta += dy.sum(axis=0)"
        ),
    },
    "08_convolution": {
        "unfold": (
            "N, H, _, C = x.shape\n"
            "x = np.pad(x, ((0, 0), (P, P), (P, P), (0, 0)))\n"
            "OH = (H + 2 * P - K) // S + 1\n"
            "columns = np.zeros((N, OH, OH, K * K * C))\n"
            "for i in range(OH):\n"
            "    for j in range(OH):\n"
            "        window = x[:, S * i : S * i + K, S * j : S * j + K]\n"
            "        columns[:, i, j] = window.reshape(N, K * K * C)\n"
            "return columns"
        ),
        "Conv2d.forward": (
            "columns = self.unfold(x)\n"
            "return product(columns, matrix(self.weight)) + self.bias, (columns, x.shape)"
        ),
        "Conv2d.backward": (
            "columns, (N, H, H, C) = cache\n"
            "return self.fold(product(dy, matrix(self.weight).T), (H, H))"
        ),
        "Conv2d.add_gradients": (
            "columns, shape = cache\n"
            "self.dweight += (rows(columns).T @ rows(dy)).reshape(self.dweight.shape)\n"
            "self.dbias += dy.sum(axis=(0, 1, 2))"
        ),
    },
    "09_transposed_convolution": {
        "ConvTranspose2d.output_size": (
            "(H, _), (K, _), (S, _), (P, _) = size, self.kernel_size, self.stride, self.padding\n"
            "OH = S * (H - 1) + K - 2 * P\n"
            "return OH, OH"
        ),
        "ConvTranspose2d.forward": (
            "size = self.output_size(x.shape[1:3])\n"
            "return self.fold(product(x, matrix(self.weight).T), size) + self.bias, x"
        ),
        "ConvTranspose2d.backward": "return product(self.unfold(dy), matrix(self.weight))",
        "ConvTranspose2d.add_gradients": (
            "self.dweight += (rows(self.unfold(dy)).T @ rows(x)).reshape(self.weight.shape)\n"
            "self.dbias += dy.sum((0, 1, 2))"
        ),
    },
    "10_discriminator_step": {
        "GAN.discriminator_gradients": (
            "G, D = self.generator, self.discriminator\n"
            "fake, _ = G.forward(z)\n"
            "real_logits, real_caches = D.forward(x)\n"
            "fake_logits, fake_caches = D.forward(fake)\n"
            "loss, d_real, d_fake = self.objective.discriminator(real_logits, fake_logits)\n"
            "D.zero_gradients()\n"
            "D.add_gradients(d_real, real_caches)\n"
            "D.add_gradients(d_fake, fake_caches)\n"
            "return {'discriminator_loss': loss, 'real_logit': real_logits.mean(),\n"
            "        'fake_logit': fake_logits.mean(),\n"
            "        'discriminator_gradient_norm': D.backend.norm(D.gradients)}"
        ),
    },
    "11_generator_step": {
        "GAN.feedback": (
            "logits, caches = self.discriminator.forward(fake)\n"
            "loss, d_logits = self.objective.generator(logits)\n"
            "return loss, self.discriminator.backward(d_logits, caches)"
        ),
        "GAN.generator_gradients": (
            "G = self.generator\n"
            "fake, caches = G.forward(z)\n"
            "loss, d_fake = self.feedback(fake, x)\n"
            "G.zero_gradients()\n"
            "G.add_gradients(d_fake, caches)\n"
            "size = G.backend.norm(G.gradients)\n"
            "return {'generator_loss': loss, 'generator_gradient_norm': size}"
        ),
    },
    "12_adam": {
        "Adam.update": (
            "m, v, t = self.state['mean'], self.state['square'], self.steps\n"
            "m[...] = self.beta1 * m + (1 - self.beta1) * g\n"
            "v[...] = self.beta2 * v + (1 - self.beta2) * g**2\n"
            "m_hat = m / (1 - self.beta1**t)\n"
            "v_hat = v / (1 - self.beta2**t)\n"
            "w -= lr * m_hat / (v_hat**0.5 + self.eps)"
        ),
    },
    "13_gradient_penalty": {
        "Dense.double_backward": "self.dweight += u.T @ dy\nreturn u @ self.weight, None",
        "Tanh.double_backward": (
            "slope = 1 - y**2\nreturn u * slope, u * dy * (-2 * y * slope)"
        ),
    },
    "14_wasserstein": {
        "Wasserstein.discriminator_terms": "return -r, f, -np.ones_like(r), np.ones_like(f)",
        "Wasserstein.generator_terms": "return -f, -np.ones_like(f)",
        "WeightClipping.constrain": (
            "w = discriminator.parameters\nw[...] = np.clip(w, -self.limit, self.limit)"
        ),
    },
}  # fmt: skip


@pytest.fixture(scope="session")
def solutions():
    """exercise -> piece -> the lines of one student's solution."""
    return SOLUTIONS


@pytest.fixture(scope="session")
def hand_in():
    """hand_in("01_dense", folder, {"Dense.forward": lines}): a student's file; its path."""
    return write


def write(stem, folder, bodies):
    """Write this exercise's file to a folder, with other bodies for some functions; its path."""
    tree = ast.parse((FOLDER / f"{stem}.py").read_text(encoding="utf-8"))
    left = dict(bodies)
    for node in tree.body:
        functions = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for function in functions:
            if isinstance(function, ast.FunctionDef) and prefix + function.name in left:
                function.body = ast.parse(left.pop(prefix + function.name)).body
    assert not left, f"{stem} has no {left}"
    path = folder / f"{stem}.py"
    path.write_text(ast.unparse(tree), encoding="utf-8")
    return path
