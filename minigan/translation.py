"""Unpaired translation: two generators between two domains, tied by a cycle.

CycleGAN (Zhu et al. 2017, arXiv:1703.10593, equation 3). F: A -> B must fool D_B, G: B -> A must
fool D_A. That alone would let F map all of A to any part of B; the cycle loss

    L_cyc = mean |G(F(a)) − a| + mean |F(G(b)) − b|                              (equation 2)

asks that each translation can be undone, and so keeps what a sample is while its domain changes.
"""

from minigan.checks import as_generator, check_number
from minigan.divergence import TrainingDiverged, first_bad_gradient
from minigan.objectives import get_objective
from minigan.schedules import constant

__all__ = ["CycleGAN"]


class CycleGAN:
    """The game of four networks.

    forward, backward: `Sequential`, A -> B and B -> A. critic_a, critic_b: discriminators of A
    and B. optimizers: four, in the order forward, backward, critic_a, critic_b. objective: as in
    `GAN`, the same for both pairs. cycle_weight: λ >= 0.
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
        schedule=constant,
    ):
        self.networks = {
            "forward": forward,
            "backward": backward,
            "critic_a": critic_a,
            "critic_b": critic_b,
        }
        self.optimizers = dict(zip(self.networks, optimizers, strict=True))
        for name, optimizer in self.optimizers.items():
            if optimizer.network is not self.networks[name]:
                raise ValueError(f"the optimizer of {name} has another network")
        a, b = forward.input_shape, forward.output_shape
        fits = (backward.input_shape, backward.output_shape) == (b, a)
        if not fits or critic_a.input_shape != a or critic_b.input_shape != b:
            shapes = {n: (w.input_shape, w.output_shape) for n, w in self.networks.items()}
            raise ValueError(f"the networks do not fit each other: {shapes}")
        self.objective = get_objective(objective, forward.backend)
        self.cycle_weight = check_number("cycle_weight", cycle_weight, 0, float("inf"))
        self.rng, self.schedule, self.steps = as_generator(rng), schedule, 0

    def step(self, batches):
        """One update of both critics, then one of both translators, on a batch (a, b)."""
        to_device = self.networks["forward"].backend.asarray
        dtype = self.networks["forward"].dtype
        a, b = (to_device(x, dtype) for x in next(batches))
        figures = self.critic_gradients(a, b)
        self._update("critic_a", "critic_b")
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
            real_logits, real_cache = D.forward(real)
            fake_logits, fake_cache = D.forward(fake)
            loss, d_real, d_fake = self.objective.discriminator(real_logits, fake_logits)
            D.backward(d_real, real_cache, input_gradient=False, accumulate=False)
            D.backward(d_fake, fake_cache, input_gradient=False)
            figures[f"{name}_loss"] = loss
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
            if not network.backend.is_finite(network.backend.norm(network.gradients)):
                place = first_bad_gradient(network, f"the {name}")
                raise TrainingDiverged(self.steps + 1, name, place or "the norm of the gradient")
        for name in names:
            self.optimizers[name].step(self.schedule(self.steps))
