"""Scenes: prepared games, each with what there is to see in it. `#scene=collapse` opens one."""

from dataclasses import dataclass, replace

from lab.settings import Settings

__all__ = ["SCENES", "Scene", "find_scene"]


@dataclass(frozen=True)
class Scene:
    """name: in the link. title, text: for the reader. settings: the game."""

    name: str
    title: str
    text: str
    settings: Settings


WELL = Settings(
    regularizer="r1",
    generator_layers=4,
    discriminator_layers=3,
    generator_lr=2e-3,
    discriminator_lr=2e-3,
)

SCENES = (
    Scene(
        "well",
        "A game that goes well",
        "All eight modes are found after some hundred steps. D's loss comes to the dashed line: it "
        "cannot tell any more. The losses do not say how good the fakes are; the divergences do.",
        WELL,
    ),
    Scene(
        "trained",
        "The same game, already trained",
        "2,000 steps were made beforehand. What happens when you train only G for some steps? When "
        "you raise D's learning rate?",
        replace(WELL, head_start=2000),
    ),
    Scene(
        "collapse",
        "Mode collapse, and a cure",
        "G learns twenty times as fast as D: all fakes go to where D is highest at the moment, in "
        "one heap, and D comes too late each time. The cure: after some hundred steps, give D a "
        "learning rate of 0.004. The fakes spread out.",
        Settings(generator_lr=2e-3, discriminator_lr=1e-4),
    ),
    Scene(
        "vanishing",
        "Vanishing gradients",
        "The first paper's objective, and a D that makes ten updates per step: it is sure of every "
        "fake, and its loss is almost 0. Point at fakes: most gradients are 0, and G learns "
        "nothing. The cure: choose the non-saturating objective.",
        Settings(objective="minimax", discriminator_steps=10, discriminator_lr=2e-3),
    ),
    Scene(
        "unleashed",
        "A critic without a leash",
        "The Wasserstein losses have no minimum unless something limits D's slope. Here nothing "
        "does: the losses swing between large positive and negative numbers, and the fakes run "
        "about in a heap. The cure: choose the regularizer wgan-gp.",
        Settings(objective="wasserstein", regularizer="no-leash"),
    ),
    Scene(
        "oscillation",
        "Players that run in circles",
        "Both learn fast: the fakes run to where the critic is high, and it turns under them. The "
        "KL divergence goes up and down, and never settles. The cure: lower G's learning rate to "
        "0.0003, and give D three updates per step.",
        Settings(
            data="ganlab-gaussians",
            objective="wasserstein",
            regularizer="clipping",
            generator_lr=3e-3,
            discriminator_lr=3e-3,
        ),
    ),
)


def find_scene(name):
    """The scene of that name; ValueError lists the names."""
    for scene in SCENES:
        if scene.name == name:
            return scene
    known = ", ".join(scene.name for scene in SCENES)
    raise ValueError(f"scene: expected one of {known}, got {str(name)[:40]!r}")
