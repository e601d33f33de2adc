"""Feature matching: G learns to reproduce the mean of what D looks at, not to fool it."""

from minigan.checks import check_integer
from minigan.game_checks import check_not_centred
from minigan.gan import GAN

__all__ = ["FeatureMatchingGAN"]


class FeatureMatchingGAN(GAN):
    """G minimises ‖mean_i φ(x_i) − mean_i φ(G(z_i))‖², φ the output of D's first `layer` layers.

    D trains as in its objective. Salimans et al. 2016 (arXiv:1606.03498, section 3.1): D still
    finds what tells real from fake, but G's goal no longer runs away from it.
    """

    settings = (*GAN.settings, "layer")

    def __init__(self, *args, layer, **kwargs):
        super().__init__(*args, **kwargs)
        self.layer = check_integer("layer", layer, 1)
        if self.layer >= len(self.discriminator.layers):
            raise ValueError(
                f"layer: expected 1 to {len(self.discriminator.layers) - 1}, got {layer}"
            )
        check_not_centred(self.discriminator[: self.layer], "the features")

    def feedback(self, fake, x):
        """G's loss for fakes (N, ...) beside real samples x (M, ...), and d loss / d fake.

        With δ = mean φ(fake) − mean φ(x), the loss is Σ δ² and its gradient with respect to each of
        its N terms is 2 δ / N; from there it flows through the first layers of D to the fakes.
        """
        features_of = self.discriminator[: self.layer]
        real_features, _ = features_of.forward(x)
        features, cache = features_of.forward(fake)
        xp, total = self.discriminator.backend.xp, self.discriminator.backend.batch_total
        mean, real_mean = (total(f.sum(axis=0)) / total(len(f)) for f in (features, real_features))
        delta = mean - real_mean
        d_features = xp.zeros_like(features) + delta * (2 / len(features))
        return (delta * delta).sum(), features_of.backward(d_features, cache)
