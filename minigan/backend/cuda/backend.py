"""`CupyBackend`: arrays on an NVIDIA GPU, and the operations that the kernels do there.

The pages in `layers/`, `objectives.py` and `optimizers.py` have the formulas. Work is only put
into the GPU's queue here: only `to_numpy` and `is_finite` wait for it. CuPy keeps the memory of
freed arrays in a pool, in the order of that queue.
"""

from minigan.backend.cuda.convolution import CupyConvolution
from minigan.backend.cuda.cublas import Cublas
from minigan.backend.cuda.forms import FORMS, PAIRS
from minigan.backend.cuda.graph import drawn, stepper
from minigan.backend.cuda.launch import product_grid
from minigan.backend.philox import split_key

__all__ = ["CupyBackend", "load_cupy"]

#: The number of each activation in `kernels.cu`.
ACTIVATIONS = ("identity", "relu", "leaky_relu", "tanh", "sigmoid", "softplus")
FUNCTIONS = {name: number for number, name in enumerate(ACTIVATIONS)}


def load_cupy():
    """The module; ImportError if it is not installed."""
    import cupy

    return cupy


class CupyBackend(CupyConvolution):
    """The operations on GPU arrays (`cupy.ndarray`), on CuPy's current device.

    products: "cublas", or "tiled" for the kernel in `kernels.cu`. convolutions: "columns" or
    "direct", see `convolution.py`. patience: after how many updates the host looks whether
    training is still finite, for which it must wait for the GPU. graphs: whether `train` launches
    gradients as CUDA graphs where it can, see `graph.py`.
    """

    def __init__(self, products="cublas", convolutions="columns", patience=64, graphs=True):
        for option, value, known in (
            ("products", products, ("cublas", "tiled")),
            ("convolutions", convolutions, ("columns", "direct")),
        ):
            if value not in known:
                raise ValueError(f"{option}: expected one of {known}, got {value!r}")
        super().__init__(load_cupy())
        self.products, self.convolutions, self.patience = products, convolutions, patience
        self.graphs, self.cublas = graphs, None
        if products == "cublas":
            self.cublas = Cublas(self.xp)
        self.forms, self.pairs, self.ranks = FORMS, PAIRS, None

    def __repr__(self):
        return "CupyBackend()"

    def __deepcopy__(self, memo):
        return self  # it stands for the GPU, of which there is no copy

    def __reduce__(self):
        options = self.products, self.convolutions, self.patience, self.graphs
        return CupyBackend, options  # in another process, the GPU that is current there

    # Arrays ------------------------------------------------------------------------------------

    def asarray(self, x, dtype=None):
        """`x`, a host array or one of this backend, as an array of this backend."""
        return self.xp.asarray(x, dtype)

    def freeze(self, x):
        """`x`; arrays on a GPU cannot be protected."""
        return x

    def thaw(self, x):
        """`x`, likewise."""
        return x

    def to_numpy(self, x):
        """An array of this backend as a `numpy.ndarray`: a copy, when the GPU has made it."""
        self.check(x)
        return self.xp.asnumpy(x)

    # Affine maps -------------------------------------------------------------------------------

    def matmul(self, a, b, out=None):
        """a (M, K) times b (K, O) -> (M, O), a new array or `out`."""
        self._check_float("a", a)
        if out is None:
            out = self._new("product", (a.shape[0], b.shape[1]), a.dtype)
        self._product(out, a, b, False)
        return out

    def add_product(self, out, a, b):
        """out (M, O) += a (M, K) times b (K, O)."""
        self._product(out, a, b, True)

    def _product(self, out, a, b, accumulate):
        self._check_float("out", out)
        (m, k), n = a.shape, b.shape[1]
        self._expect("a", a, out.dtype, (m, k))
        self._expect("b", b, out.dtype, (k, n))
        self._write("out", out, a.dtype, (m, n))
        sizes, (a, *a_strides), (b, *b_strides) = (m, n, k), self._strided(a), self._strided(b)
        if self.cublas is None or not k:  # cuBLAS takes nothing of size 0
            arguments = *sizes, *a_strides, *b_strides, accumulate
            if m and n:
                self._launch("matmul", out.dtype, product_grid(m, n), a, b, out, *arguments)
        elif m and n:
            self.cublas.product(out, (a, *a_strides), (b, *b_strides), sizes, accumulate)

    def _strided(self, x):
        """A contiguous array, and the strides with which it is x or its transpose."""
        if not x.flags.c_contiguous and x.T.flags.c_contiguous:
            return x.T, 1, x.shape[0]
        return self.xp.ascontiguousarray(x), x.shape[1], 1

    def add_sum(self, out, x):
        """out (C,) += Σ x (..., C) over all axes but the last: the gradient of a bias."""
        rows = self._float("x", x).reshape(-1, x.shape[-1])
        self._column_sums(rows, self._write("out", out, x.dtype, x.shape[-1:]), accumulate=True)

    def sum_rows(self, x, out=None):
        """Σ x (..., C) over all axes but the last -> (C,), a new array or `out`."""
        rows = self._float("x", x).reshape(-1, x.shape[-1])
        if out is None:
            out = self._new("sums", x.shape[-1:], x.dtype)
        return self._column_sums(rows, self._write("out", out, x.dtype, x.shape[-1:]))

    # Activations -------------------------------------------------------------------------------

    def bias_activation(self, x, bias, activation, slope=0.0, out=None):
        """y = f(x + b), x (..., C), b (C,) or None; `out` may be x itself."""
        x = self._float("x", x)
        dtype = x.dtype
        y = self._new("y", x.shape, dtype) if out is None else out
        y = self._write("out", y, dtype, x.shape)
        if bias is None:
            bias, channels = x, 0  # which says that there is none
        else:
            bias, channels = self._read("bias", bias, dtype, x.shape[-1:]), x.shape[-1]
        function = FUNCTIONS[activation], float(slope)
        self._for_each("bias_activation", dtype, x.size, x, bias, y, x.size, channels, *function)
        return y

    def activation_gradient(self, dy, y, activation, slope=0.0):
        """dx = dy · f'(x), with f' expressed by the output y = f(x)."""
        y = self._float("y", y)
        dtype, n = y.dtype, y.size
        dy, dx = self._read("dy", dy, dtype, y.shape), self._new("dx", y.shape, dtype)
        function = FUNCTIONS[activation], float(slope)
        self._for_each("activation_gradient", dtype, n, dy, y, dx, n, *function)
        return dx

    def activation_curvature(self, u, dy, y, activation):
        """u · dy · f''(x), the derivative of ⟨u, dy · f'(x)⟩ with respect to x."""
        y = self._float("y", y)
        dtype, n, function = y.dtype, y.size, FUNCTIONS[activation]
        u, dy = self._read("u", u, dtype, y.shape), self._read("dy", dy, dtype, y.shape)
        out = self._new("u_x", y.shape, dtype)
        self._for_each("activation_curvature", dtype, n, u, dy, y, out, n, function)
        return out

    # Batch normalization -----------------------------------------------------------------------

    def batch_norm(
        self, x, gamma, beta, running_mean, running_var, eps, momentum, activation, slope=0.0
    ):
        """f(y), x − μ and 1/σ, of the batch x (..., C), f an activation or the identity.

        The running statistics (C,) move towards those of the batch, with more than one value per
        feature, as in `BatchNorm.remember`.
        """
        dtype, columns = x.dtype, x.shape[-1]
        rows = self._float("x", x).reshape(-1, columns)
        gamma = self._read("gamma", gamma, dtype, (columns,))
        beta = self._read("beta", beta, dtype, (columns,))
        running = (
            self._write("running_mean", running_mean, dtype, (columns,)),
            self._write("running_var", running_var, dtype, (columns,)),
        )
        count = float(self.batch_total(len(rows)))
        total = self.batch_total(self.sum_rows(rows))
        centred = self._new("centred", rows.shape, dtype)
        square, inverse = self._new("statistics", (2, columns), dtype)
        arrays = rows, total, centred, square
        self._over_tiles("batch_norm_center", dtype, rows.shape, arrays, count, sums=1)
        y = self._new("y", x.shape, dtype)
        arrays = centred, total, self.batch_total(square), gamma, beta, y, inverse, *running
        numbers = count, float(eps), float(momentum), FUNCTIONS[activation], float(slope)
        self._over_tiles("batch_norm_apply", dtype, rows.shape, arrays, *numbers)
        return y, centred, inverse

    def batch_norm_gradient(self, dy, centred, inverse, gamma, gradients=None):
        """dx of `batch_norm`; gradients: dγ and dβ, to add to."""
        centred = self._float("centred", centred)
        dtype, shape = centred.dtype, centred.shape
        rows, columns = shape
        dy_rows = self._read("dy", dy.reshape(-1, dy.shape[-1]), dtype, shape)
        inverse = self._read("inverse", inverse, dtype, (columns,))
        gamma = self._read("gamma", gamma, dtype, (columns,))
        add = gradients is not None
        if add:
            names = zip(("dgamma", "dbeta"), gradients, strict=True)
            gradients = [self._write(name, g, dtype, (columns,)) for name, g in names]
        sums, dx = self._new("sums", (2, columns), dtype), self._new("dx", dy.shape, dtype)
        arrays = dy_rows, centred, inverse
        self._over_tiles("batch_norm_sums", dtype, shape, (*arrays, sums), sums=2)
        totals, count = self.batch_total(sums), float(self.batch_total(rows))
        arrays = *arrays, gamma, sums, totals, dx, *(gradients if add else (dx, dx))
        self._over_tiles("batch_norm_gradient", dtype, shape, arrays, count, add)
        return dx

    def batch_total(self, part):
        """A sum over the batch from its part here: all of it, but on several ranks."""
        if self.ranks is None:
            return part
        if isinstance(part, int):
            return self.ranks.total(part)
        return self.asarray(self.ranks.total(self.to_numpy(part)))

    def batch_gather(self, part):
        """The whole batch (N, ...) from its part here, on several ranks."""
        return self.asarray(self.ranks.gather(self.to_numpy(part)))

    def with_ranks(self, ranks):
        """This backend for one of several `Ranks`; by None for a process of its own."""
        if ranks is self.ranks:
            return self
        twin = object.__new__(type(self))  # `copy` would make a new one: __reduce__
        twin.__dict__.update(vars(self), ranks=ranks)
        return twin

    # A step as graphs --------------------------------------------------------------------------

    def stepper(self, game):
        """The function that makes a step of the game: its own, or the same by graphs."""
        return stepper(game) if self.graphs else game.step

    def drawn(self, draw, shape):
        """draw(shape), random numbers of a generator; in a graph, the place for them."""
        return drawn(draw, shape)

    # Losses, and other single numbers ----------------------------------------------------------

    def logistic_loss(self, r, f, sign, slope, rest):
        """mean(sign · softplus(slope · r) + rest · r) + mean softplus(f) and its gradients in r, f.

        f: None for no such term, and no such gradient.
        """
        r = self._float("r", r)
        dtype, loss = r.dtype, self._number(r.dtype)
        f = r[:0] if f is None else f
        f = self._read("f", f, dtype, f.shape)
        d_real, d_fake = self._new("d_real", r.shape, dtype), self._new("d_fake", f.shape, dtype)
        arrays, numbers = (r, f, d_real, d_fake, loss), (f.size, *map(float, (sign, slope, rest)))
        self._over_tiles("logistic_loss", dtype, (r.size, 1), arrays, *numbers, sums=2)
        return loss, d_real, d_fake

    def mean(self, x):
        """Σ x / N of x (N, 1)."""
        x = self._float("x", x)
        return self._column_sums(x.reshape(-1, 1), self._number(x.dtype), scale=1 / x.size)

    def norm(self, x):
        """√(Σ x²) of a vector x (n,)."""
        x = self._float("x", x)
        out = self._number(x.dtype)
        self._over_tiles("vector_norm", x.dtype, (x.size, 1), (x, out), sums=1)
        return out

    # Whether training is still finite ----------------------------------------------------------

    def is_finite(self, x):
        """Whether every number of x is finite (on all ranks). Waits for the GPU."""
        found = bool(self.xp.isfinite(x).all())
        return found if self.ranks is None else not self.ranks.largest(not found)

    def new_flag(self):
        """int32 (2,): whether all updates so far were finite, and the first that was not."""
        return self.xp.asarray([1, 0], "int32")

    def finite_guard(self, loss, norm, flag, number, statistics=None):
        """Clear the flag, and note the number, if loss, norm or statistics (n,) are not finite."""
        self._check_float("loss", loss)
        dtype = loss.dtype
        loss, norm = self._read("loss", loss, dtype, ()), self._read("norm", norm, dtype, ())
        n = 0 if statistics is None else statistics.size
        statistics = self._read("statistics", statistics, dtype, (n,)) if n else loss
        flag = self._write("flag", flag, "int32", (2,))
        self._launch("finite_guard", dtype, (1,), loss, norm, statistics, flag, n, number)

    def set_back(self, statistics, before, flag):
        """Give statistics (n,) the numbers that they had, if the flag has been cleared."""
        dtype = self._float("statistics", statistics).dtype
        n, shape = statistics.size, statistics.shape
        self._write("statistics", statistics, dtype, shape)
        before, flag = self._read("before", before, dtype, shape), self._flag(flag)
        self._for_each("set_back", dtype, n, statistics, before, flag, n)

    def _flag(self, guard):
        return self.new_flag() if guard is None else self._read("guard", guard, "int32", (2,))

    # Optimizer updates, on one flat vector -----------------------------------------------------

    def sgd(self, parameters, gradients, velocity, lr, momentum, guard=None):
        """v = μ v + g;  w −= lr · v."""
        vectors = {"parameters": parameters, "gradients": gradients, "velocity": velocity}
        self._update("sgd", vectors, guard, lr, momentum)

    def rmsprop(self, parameters, gradients, square, lr, alpha, eps, guard=None):
        """s = α s + (1 − α) g²;  w −= lr · g / (√s + eps)."""
        vectors = {"parameters": parameters, "gradients": gradients, "square": square}
        self._update("rmsprop", vectors, guard, lr, alpha, 1 - alpha, eps)

    def adam(self, parameters, gradients, mean, square, lr, beta1, beta2, eps, t, guard=None):
        """As the page; m̂ / (√v̂ + eps) = c m / (√v + e), with e = eps √k, c = √k / (1 − β₁ᵗ) and
        k = 1 − β₂ᵗ.
        """
        root = (1 - beta2**t) ** 0.5
        scale, eps = lr * root / (1 - beta1**t), eps * root
        vectors = {"parameters": parameters, "gradients": gradients, "mean": mean, "square": square}
        self._update("adam", vectors, guard, scale, beta1, 1 - beta1, beta2, 1 - beta2, eps)

    def interpolate(self, average, parameters, rate, guard=None):
        """w̄ += rate · (w − w̄): an exponential moving average, in place."""
        self._update("interpolate", {"average": average, "parameters": parameters}, guard, rate)

    def _update(self, name, vectors, guard, *scalars):
        """Run a kernel that changes all of the vectors but the second, which it reads."""
        (what, target), *_ = vectors.items()
        dtype, shape, n = self._float(what, target).dtype, target.shape, target.size
        checked = [
            (self._read if i == 1 else self._write)(what, vector, dtype, shape)
            for i, (what, vector) in enumerate(vectors.items())
        ]
        self._for_each(name, dtype, n, *checked, self._flag(guard), n, *map(float, scalars))

    # Random numbers ----------------------------------------------------------------------------

    def random_uniform(self, shape, dtype, key):
        """U[0, 1), the same bits as on the NumPy backend."""
        return self._philox("philox_uniform", shape, dtype, key)

    def random_normal(self, shape, dtype, key):
        """N(0, 1), the same bits as on the NumPy backend."""
        return self._philox("philox_normal", shape, dtype, key)

    def _philox(self, name, shape, dtype, key):
        out = self._float("dtype", self._new("numbers", shape, dtype))
        self._for_each(name, out.dtype, out.size, out, out.size, *split_key(key))
        return out
