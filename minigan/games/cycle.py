"""Unpaired translation: two generators between two domains, tied by a cycle.

CycleGAN (Zhu et al. 2017, arXiv:1703.10593, equation 3). F: A -> B must fool D_B, G: B -> A must
fool D_A. That alone would let F map all of A to any part of B; the cycle loss

    L_cyc = mean |G(F(a)) − a| + mean |F(G(b)) − b|                              (equation 2)

asks that each translation can be undone, and so keeps what a sample is while its domain changes.
Where both domains have samples of one shape, the identity loss (section 5.2, "photo generation from
paintings") may ask that a translator leaves alone what is in its target domain already:

    L_id = mean |F(b) − b| + mean |G(a) − a|
"""

from minigan.checks import check_number
from minigan.distances import l1_distance
from minigan.finite import walk_through
from minigan.game import Game
from minigan.game_checks import (
    check_discriminator,
    check_kinds,
    check_networks,
    check_optimizers,
    check_pair_of,
)
from minigan.gan import discriminator_gradients
from minigan.objectives import get_objective
from minigan.optimizers import constant

__all__ = ["CycleGAN"]


class CycleGAN(Game):
    """The game of four networks.

    a_to_b, b_to_a: `Sequential`, the paper's F and G. critic_a, critic_b: discriminators of A and
    B. optimizers: four, in the order a_to_b, b_to_a, critic_a, critic_b. objective, regularizer,
    schedule: as in `GAN`, the same for both pairs. cycle_weight, identity_weight: ≥ 0, of the two
    losses above (in the paper 10 and 5, where it has both). rng: for the regularizer.

    Raises ValueError if the parts do not fit each other, before anything is trained.
    """

    players = ("a_to_b", "b_to_a", "critic_a", "critic_b")
    settings = (*Game.settings, "cycle_weight", "identity_weight")

    def __init__(
        self,
        a_to_b,
        b_to_a,
        critic_a,
        critic_b,
        objective="least-squares",
        *,
        optimizers,
        cycle_weight=10.0,
        identity_weight=0.0,
        rng=0,
        regularizer=None,
        schedule=constant,
    ):
        self.a_to_b, self.b_to_a, self.critic_a, self.critic_b = a_to_b, b_to_a, critic_a, critic_b
        optimizers = list(optimizers)
        if len(optimizers) != len(self.players):
            raise ValueError(
                f"optimizers: expected one each for {', '.join(self.players)}, "
                f"got {len(optimizers)}"
            )
        for player, optimizer in zip(self.players, optimizers, strict=True):
            setattr(self, f"{player}_optimizer", optimizer)
        self.objective = get_objective(objective, a_to_b.backend)
        self.cycle_weight = check_number("cycle_weight", cycle_weight, 0, float("inf"))
        self.identity_weight = check_number("identity_weight", identity_weight, 0, float("inf"))
        self.regularizer = regularizer
        self._check_parts(schedule)
        super().__init__(rng, schedule)

    def step(self, batches):
        """One update of both critics, then one of both translators, on a batch (a, b)."""
        a, b = self.real(next(batches))
        figures = self.update(["critic_a", "critic_b"], self.critic_gradients, a, b)
        if self.regularizer is not None:
            self.regularizer.constrain(self.critic_a)
            self.regularizer.constrain(self.critic_b)
        return figures | self.update(["a_to_b", "b_to_a"], self.translator_gradients, a, b)

    def critic_gradients(self, a, b):
        """Set the critics' gradients: real a against G(b), real b against F(a)."""
        fake_a, _ = self.b_to_a.forward(b)
        fake_b, _ = self.a_to_b.forward(a)
        of_a = discriminator_gradients(self, self.critic_a, a, fake_a)
        of_b = discriminator_gradients(self, self.critic_b, b, fake_b)
        return {
            "critic_a_loss": of_a["discriminator_loss"],
            "critic_b_loss": of_b["discriminator_loss"],
            "critic_a_gradient_norm": of_a["discriminator_gradient_norm"],
            "critic_b_gradient_norm": of_b["discriminator_gradient_norm"],
        }

    def translator_gradients(self, a, b):
        """Set the translators' gradients: fool the other domain's critic, and close the cycle.

        Each translator acts twice, as the first half of one cycle and the second half of the
        other; its gradients from both add up.
        """
        F, G = self.a_to_b, self.b_to_a
        F.zero_gradients()
        G.zero_gradients()
        b_loss, a_cycle = self._half(F, G, self.critic_b, a, b)
        a_loss, b_cycle = self._half(G, F, self.critic_a, b, a)
        adversarial, cycle, identity = a_loss + b_loss, a_cycle + b_cycle, 0.0
        if self.identity_weight:
            identity = self._identity(F, b) + self._identity(G, a)
        weighted = self.cycle_weight * cycle + self.identity_weight * identity
        return {
            "generator_loss": adversarial + weighted,
            "adversarial_loss": adversarial,
            "cycle_loss": cycle,
            "a_to_b_gradient_norm": F.backend.norm(F.gradients),
            "b_to_a_gradient_norm": G.backend.norm(G.gradients),
        }

    def _half(self, there, back, critic, x, real):
        """One direction: x -> fake -> critic, and x -> fake -> x again. The two losses.

        real: samples of the other domain, for losses that compare fakes with them.
        """
        fake, there_cache = there.forward(x)
        again, back_cache = back.forward(fake)
        logits, critic_cache = critic.forward(fake)
        real_logits = critic.forward(real)[0] if self.objective.relativistic else None
        loss, d_logits = self.objective.generator(logits, real_logits)
        cycle, d_again = l1_distance(again, x, there.backend.xp)
        d_again *= self.cycle_weight
        d_fake = critic.backward(d_logits, critic_cache) + back.backpropagate(d_again, back_cache)
        there.add_gradients(d_fake, there_cache)
        return loss, cycle

    def _identity(self, translator, x):
        """mean |F(x) − x| for x of the translator's own target domain."""
        same, cache = translator.forward(x)
        loss, d_same = l1_distance(same, x, translator.backend.xp)
        translator.add_gradients(self.identity_weight * d_same, cache)
        return loss

    def walk(self, a, b):
        fake_b = walk_through(self.a_to_b, a, "a_to_b")
        fake_a = walk_through(self.b_to_a, b, "b_to_a")
        walk_through(self.b_to_a, fake_b, "b_to_a")
        walk_through(self.a_to_b, fake_a, "a_to_b")
        for samples in (a, fake_a):
            walk_through(self.critic_a, samples, "critic_a")
        for samples in (b, fake_b):
            walk_through(self.critic_b, samples, "critic_b")

    def gradient_steps(self, a, b, *, rng):
        a, b = self.asarray(a), self.asarray(b)
        translators = {"a_to_b": "generator_loss", "b_to_a": "generator_loss"}
        critics = {"critic_a": "critic_a_loss", "critic_b": "critic_b_loss"}
        return [
            (lambda: self.critic_gradients(a, b), critics),
            (lambda: self.translator_gradients(a, b), translators),
        ]

    def real(self, batch):
        """Both samples on the networks' backend; refused before any network sees one of them."""
        a, b = check_pair_of("(a, b)", batch)
        return (
            super().real(a, self.a_to_b.input_shape, "critic_a", "samples a"),
            super().real(b, self.b_to_a.input_shape, "critic_b", "samples b"),
        )

    def _check_parts(self, schedule):
        check_kinds(schedule=schedule, regularizer=self.regularizer)
        networks = {player: getattr(self, player) for player in self.players}
        optimizers = {n: getattr(self, f"{n}_optimizer") for n in networks}
        check_optimizers({f"the optimizer of {n}": (optimizers[n], w) for n, w in networks.items()})
        check_networks(networks, self.objective)
        F, G, D_a, D_b = networks.values()
        a, b = F.input_shape, F.output_shape
        fits = (G.input_shape, G.output_shape) == (b, a)
        if not fits or D_a.input_shape != a or D_b.input_shape != b:
            shapes = {n: (w.input_shape, w.output_shape) for n, w in networks.items()}
            raise ValueError(f"the networks do not fit each other: {shapes}")
        if self.identity_weight and a != b:
            raise ValueError(f"identity_weight: expected 0 for samples of two shapes, {a} and {b}")
        check_discriminator("critic_a", D_a, self.objective, self.regularizer)
        check_discriminator("critic_b", D_b, self.objective, self.regularizer)
