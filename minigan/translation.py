"""Unpaired translation: two generators between two domains, tied by a cycle.

CycleGAN (Zhu et al. 2017, arXiv:1703.10593, equation 3). F: A -> B must fool D_B, G: B -> A must
fool D_A. That alone would let F map all of A to any part of B; the cycle loss

    L_cyc = mean |G(F(a)) − a| + mean |F(G(b)) − b|                              (equation 2)

asks that each translation can be undone, and so keeps what a sample is while its domain changes.
"""

from minigan.checks import as_generator, check_number
from minigan.divergence import gradient_diverged
from minigan.objectives import get_objective
from minigan.parts import (
    check_discriminator,
    check_kinds,
    check_networks,
    check_optimizers,
    check_pair_of,
)
from minigan.regularizers import Regularizer
from minigan.schedules import constant
from minigan.watch import Watch, finite_on_host

__all__ = ["CycleGAN"]


class CycleGAN:
    """The game of four networks.

    forward, backward: `Sequential`, A -> B and B -> A. critic_a, critic_b: discriminators of A
    and B. optimizers: four, in the order forward, backward, critic_a, critic_b. objective,
    regularizer, schedule: as in `GAN`, the same for both pairs. cycle_weight: λ >= 0. rng: for
    the regularizer.

    Raises ValueError if the parts do not fit each other, before anything is trained.
    """

    def __init__(
        self,
        forward,
        backward,
        critic_a,
        critic_b,
        objective="least-squares",
        *,
        optimizers,
        cycle_weight=10.0,
        rng=0,
        regularizer=None,
        schedule=constant,
    ):
        self.networks = {
            "forward": forward,
            "backward": backward,
            "critic_a": critic_a,
            "critic_b": critic_b,
        }
        self.optimizers = self._named(optimizers)
        self.objective = get_objective(objective, forward.backend)
        self.cycle_weight = check_number("cycle_weight", cycle_weight, 0, float("inf"))
        self.regularizer = regularizer or Regularizer()
        self.rng, self.schedule, self.steps = as_generator(rng), schedule, 0
        self._check_parts(regularizer)
        self.watch = Watch(forward.backend)

    def step(self, batches):
        """One update of both critics, then one of both translators, on a batch (a, b)."""
        a, b = self._pair(next(batches))
        figures = self.critic_gradients(a, b)
        self._update("critic_a", "critic_b")
        for name in ("critic_a", "critic_b"):
            self.regularizer.constrain(self.networks[name])
        figures |= self.translator_gradients(a, b)
        self._update("forward", "backward")
        return figures

    def critic_gradients(self, a, b):
        """Fill the critics' gradients: real a against G(b), real b against F(a)."""
        F, G = self.networks["forward"], self.networks["backward"]
        figures = {}
        for name, translator, source, real in (("critic_a", G, b, a), ("critic_b", F, a, b)):
            D = self.networks[name]
            fake, _ = translator.forward(source)
            (real_logits, fake_logits), caches = D.forward_each([real, fake])
            loss, d_real, d_fake = self.objective.discriminator(real_logits, fake_logits)
            D.backward_each([d_real, d_fake], caches)
            penalty = self.regularizer.penalize(D, real, fake, self.rng, self.steps)
            figures[f"{name}_loss"] = loss + penalty
        return figures

    def translator_gradients(self, a, b):
        """Fill the translators' gradients: fool the other domain's critic, and close the cycle.

        Each translator acts twice, as the first half of one cycle and the second half of the
        other; its gradients from both add up.
        """
        F, G = self.networks["forward"], self.networks["backward"]
        F.zero_gradients()
        G.zero_gradients()
        b_loss, a_cycle = self._half(F, G, self.networks["critic_b"], a)
        a_loss, b_cycle = self._half(G, F, self.networks["critic_a"], b)
        cycle = a_cycle + b_cycle
        return {
            "generator_loss": a_loss + b_loss + self.cycle_weight * cycle,
            "adversarial_loss": a_loss + b_loss,
            "cycle_loss": cycle,
        }

    def parts(self):
        """name -> whatever training changes: what `save_checkpoint` writes."""
        optimizers = {f"{name}_optimizer": part for name, part in self.optimizers.items()}
        return self.networks | optimizers | {"rng": self.rng}

    def _half(self, there, back, critic, x):
        """One direction: x -> fake -> critic, and x -> fake -> x again. The two losses."""
        fake, there_cache = there.forward(x)
        again, back_cache = back.forward(fake)
        logits, critic_cache = critic.forward(fake)
        loss, d_logits = self.objective.generator(logits)
        difference = again - x
        scale = self.cycle_weight / difference.size
        d_again = there.backend.xp.sign(difference) * scale
        d_fake = critic.backward(d_logits, critic_cache, parameter_gradients=False)
        d_fake = d_fake + back.backward(d_again, back_cache)
        there.backward(d_fake, there_cache, input_gradient=False)
        return loss, abs(difference).mean()

    def _update(self, *names):
        for name in names:
            network = self.networks[name]
            norm = network.backend.norm(network.gradients)
            guard = self.watch.guard(norm, norm, gradient_diverged(self.steps + 1, name, network))
        for name in names:
            self.optimizers[name].step(self.schedule(self.steps), guard)

    def _pair(self, batch):
        """Both samples on the networks' backend; refused before any network sees one of them."""
        pair = []
        for domain, translator, x in zip(
            "ab", self.networks, check_pair_of("(a, b)", batch), strict=False
        ):
            network = self.networks[translator]
            place = f"critic_{domain}", f"the batch of samples {domain}"
            x = finite_on_host(x, network.dtype, self.steps + 1, *place)
            x = network.backend.asarray(x)
            network.check_batch(x, network.input_shape, domain)
            pair.append(x)
        return pair

    def _named(self, optimizers):
        optimizers = list(optimizers)
        if len(optimizers) != len(self.networks):
            raise ValueError(
                f"optimizers: expected one each for {', '.join(self.networks)}, "
                f"got {len(optimizers)}"
            )
        return dict(zip(self.networks, optimizers, strict=True))

    def _check_parts(self, regularizer):
        F, G, D_a, D_b = self.networks.values()
        check_kinds(schedule=self.schedule, regularizer=regularizer)
        check_optimizers(
            {f"the optimizer of {n}": (o, self.networks[n]) for n, o in self.optimizers.items()}
        )
        check_networks(self.networks, self.objective)
        a, b = F.input_shape, F.output_shape
        fits = (G.input_shape, G.output_shape) == (b, a)
        if not fits or D_a.input_shape != a or D_b.input_shape != b:
            shapes = {n: (w.input_shape, w.output_shape) for n, w in self.networks.items()}
            raise ValueError(f"the networks do not fit each other: {shapes}")
        check_discriminator("critic_a", D_a, self.objective, regularizer)
        check_discriminator("critic_b", D_b, self.objective, regularizer)
