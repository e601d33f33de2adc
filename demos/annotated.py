"""Five passages of the source, each beside its derivation: a page for the browser.

On the left the library's own code, taken from the source as it is now; on the right the derivation,
step by step, with the shapes drawn. The passages are a dense layer, tanh, batch norm, transposed
convolution, and the gradient penalty. It takes a second.

What to look at, in annotated.html:
- Cover the code, and write it yourself from the derivation. Or cover the derivation.
- Shapes decide more than one would think: for a dense layer's dW they leave one product only.
- Batch norm: which of the three terms would be missing if μ and σ were constants?

What to try next: check a backward pass of your own with gradcheck (minigan/diagnosis/gradcheck.py).

Files: annotated.html (one file, without parts from elsewhere), metrics.json.
"""

from pathlib import Path

from minigan import BatchNorm, ConvTranspose2d, Dense, Tanh
from minigan.files import replacing
from minigan.layers.convolution import fold
from minigan.layers.network import Chain
from minigan.regularizers import GradientPenalty
from support.annotation import Passage, page, shapes, stamps, sweeps, table
from support.demo import start

options, out = start("annotated", __doc__, ["annotated.html"])

# %% The passages: rows of (code, derivation, drawing). What stands in `…` must occur in the code.

dense = Passage(
    "A dense layer",
    "Every output is a weighted sum of all inputs. L is the loss, and dy stands for ∂L/∂y: a "
    "number for each number of y.",
    [
        (
            Dense.forward,
            """
Forward, for sample n and output j:

    yₙⱼ = Σᵢ xₙᵢ Wᵢⱼ + bⱼ

For all at once this is the product `x.dot(self.weight)`. The input is kept as the cache:
`return y, x`.
""",
            shapes("y: N out = x: N in · W: in out + b: 1 out"),
        ),
        (
            Dense.backward,
            """
xₙᵢ reaches every output of its sample, yₙⱼ with the weight Wᵢⱼ. By the chain rule

    ∂L/∂xₙᵢ = Σⱼ ∂L/∂yₙⱼ · ∂yₙⱼ/∂xₙᵢ = Σⱼ dyₙⱼ Wᵢⱼ

The sum runs over the second index of W, so it is a product with the transpose:
`dy.dot(self.weight.T)`.
""",
            shapes("dx: N in = dy: N out · Wᵀ: out in"),
        ),
        (
            Dense.add_gradients,
            """
Wᵢⱼ takes part in yₙⱼ for every sample n, so the samples add up:

    ∂L/∂Wᵢⱼ = Σₙ xₙᵢ dyₙⱼ        ∂L/∂bⱼ = Σₙ dyₙⱼ

The first is the product `x.T.dot(dy)`. No other product of x and dy has W's shape. It is
`+=`, since the gradients of several batches (real and fake) sum up.
""",
            shapes("dW: in out = xᵀ: in N · dy: N out"),
        ),
    ],
)

tanh = Passage(
    "Tanh",
    "One function for every number by itself; all shapes are that of x.",
    [
        (
            Tanh.forward,
            """
    y = tanh x = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)

The output is kept, and not the input: the derivative can be told from it.
""",
            "",
        ),
        (
            Tanh.backward,
            """
With s = eˣ − e⁻ˣ and c = eˣ + e⁻ˣ, s' = c and c' = s. By the quotient rule

    y' = (c · c − s · s) / c² = 1 − y²

so that dx = dy · y' is `dy * (1 - y * y)`. Where |y| is near 1, almost nothing of dy is left: the
gradient vanishes.
""",
            "",
        ),
        (
            Tanh.double_backward,
            """
The last passage of this page differentiates the backward pass itself. It is a function of two
things, dx = dy · (1 − y²), with y = tanh x. For u = ∂P/∂dx:

    ∂P/∂dy = u · (1 − y²)
    ∂P/∂x  = u · dy · (−2y) · y' = u · dy · (−2y) (1 − y²)

A ReLU is straight on both sides of its kink: there the second line is zero.
""",
            "",
        ),
    ],
)

batch_norm = Passage(
    "Batch norm",
    "Each feature is shifted and scaled by its own mean μ and deviation σ over the batch. M is the "
    "number of values per feature: N, or N · H · W for images. One feature is enough here.",
    [
        (
            BatchNorm.forward,
            """
    μ  = 1/M Σₘ xₘ           var = 1/M Σₘ (xₘ − μ)²
    x̂ₘ = (xₘ − μ) / σ        σ = √(var + eps)
    yₘ = γ x̂ₘ + β

In evaluation, μ and var are the `self.running_mean` and `self.running_var` of training.
""",
            table(),
        ),
        (
            BatchNorm.backward,
            """
In evaluation μ and σ are constants, and dx = γ/σ · dy. In training, xₖ moves them too:

    ∂μ/∂xₖ = 1/M
    ∂σ/∂xₖ = 1/(2σ) · ∂var/∂xₖ = 1/(2σ) · 2(xₖ − μ)/M = x̂ₖ/M

(∂var/∂xₖ has no term through μ, as Σₘ (xₘ − μ) = 0.) With δₘₖ = 1 for m = k, else 0:

    ∂x̂ₘ/∂xₖ = (δₘₖ − 1/M) / σ − (xₘ − μ)/σ² · x̂ₖ/M
             = (δₘₖ − 1/M − x̂ₘ x̂ₖ/M) / σ

Now sum over m with ∂L/∂x̂ₘ = γ dyₘ. The three terms of the bracket become

    dxₖ = γ/σ · (dyₖ − mean(dy) − x̂ₖ · mean(dy x̂))

which are `dy`, `through_mean` and `through_sigma`.
""",
            "",
        ),
        (
            BatchNorm.add_gradients,
            """
γ and β belong to the feature, and every value passes them:

    ∂L/∂γ = Σₘ dyₘ x̂ₘ        ∂L/∂β = Σₘ dyₘ

Here it is a sum, and above a mean.
""",
            "",
        ),
    ],
)

transposed = Passage(
    "Transposed convolution",
    "A convolution is linear: there is a matrix A with y = A x. Its transpose Aᵀ maps the other "
    "way, from small images to large ones. Nothing else is meant by a transposed convolution.",
    [
        (
            ConvTranspose2d.forward,
            """
A = “take windows, then multiply by W”. The transpose of a product is the product of the transposes
in the other order:

    A x  = unfold(x) W
    Aᵀ x = fold(x Wᵀ)

So each pixel is first multiplied by Wᵀ, which gives a stamp of the kernel's size, and `self.fold`
adds the stamps into the output, one stride apart.
""",
            stamps(),
        ),
        (
            fold,
            """
`unfold` copies each window out of an image. Its transpose adds each window back to where it came
from: `+=`, since windows overlap. The padding, which no image has, is cut off at the end.
""",
            "",
        ),
        (
            ConvTranspose2d.backward,
            """
    y = Aᵀ x        so        dx = (Aᵀ)ᵀ dy = A dy

The backward pass of a transposed convolution is a convolution: `self.unfold(dy)` times W.
""",
            "",
        ),
        (
            ConvTranspose2d.add_gradients,
            """
Let c = x Wᵀ be the stamps, so that y = fold(c) and dc = unfold(dy). Then c is a dense layer's
output, with the weight Wᵀ:

    d(Wᵀ) = xᵀ dc        so        dW = dcᵀ x = unfold(dy)ᵀ x

summed over all pixels of all images, the rows of both matrices.
""",
            shapes("dW: K·K·O C = unfold(dy)ᵀ: K·K·O pixels · x: pixels C"),
        ),
    ],
)

penalty = Passage(
    "The gradient penalty",
    "A loss on a gradient: the slope of D at some points x is to have a wanted length. Its own "
    "gradient is a second derivative, here without automatic differentiation.",
    [
        (
            GradientPenalty.add_penalty,
            """
Let gᵢ = ∂D(xᵢ)/∂xᵢ. With ρ(n) = (n − 1)², for example,

    P = weight · 1/N Σᵢ ρ(‖gᵢ‖)

Pass 1, forward, gives the logits. Pass 2, backward from ones, gives g: sample i reaches no logit
but its own. Pass 3 starts from how P changes with g:

    uᵢ = ∂P/∂gᵢ = weight/N · ρ'(‖gᵢ‖) · gᵢ/‖gᵢ‖

which is `rows * (scale * slope_over_norm)`, and goes through pass 2, backwards. (`factor`: the
penalty may be added at every so many steps, and is then so many times as large; and its weight may
fall.)
""",
            sweeps(),
        ),
        (
            Chain.double_backward,
            """
Pass 2 went from D's output to its input, so its own backward pass goes from the input to the
output: u enters at the input, and each layer turns it into the gradient with respect to the dy that
it had got in pass 2. That is the first loop, up.

A layer whose dx depends on its input (tanh, above) also gives `u_x`. That is an ordinary gradient
with respect to x, and goes down in an ordinary backward pass: the second loop.
""",
            "",
        ),
        (
            Dense.double_backward,
            """
The smallest example. Pass 2 of a dense layer is dx = dy Wᵀ, a product again. For u = ∂P/∂dx:

    ∂P/∂dyₙⱼ = Σᵢ uₙᵢ Wᵢⱼ
    ∂P/∂Wᵢⱼ  = Σₙ uₙᵢ dyₙⱼ

`u.dot(self.weight)` is the forward pass of u, and `u.T.dot(dy)` has u where add_gradients has x.
The bias takes no part: dx does not depend on it.
""",
            shapes("u_dy: N out = u: N in · W: in out"),
        ),
    ],
)

# %% The page

passages = [dense, tanh, batch_norm, transposed, penalty]
with replacing(out.path("annotated.html")) as temporary:
    Path(temporary).write_text(page("Five passages, derived", passages), encoding="utf-8")
out.save_metrics(passages=len(passages), pieces=sum(len(p.rows) for p in passages))
print(f"Open {out.path('annotated.html')} in a browser.")
