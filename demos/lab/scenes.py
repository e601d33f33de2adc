"""Scenes: prepared games, each with what there is to see in it. `#scene=collapse` opens one."""

from dataclasses import dataclass

from lab.settings import Settings

__all__ = ["SCENES", "Scene", "find_scene"]


@dataclass(frozen=True)
class Scene:
    """name: in the link. title, text: for the reader. settings: the game."""

    name: str
    title: str
    text: str
    settings: Settings


#: Two players of the size that the ring needs.
DEEP = {
    "generator_layers": 4, "generator_width": 128,
    "discriminator_layers": 3, "discriminator_width": 128,
}  # fmt: skip

SCENES = (
    Scene(
        "well",
        "A game that goes well",
        "All eight modes are found, and D ends unsure of everything: its losses come to the "
        "dashed lines. The losses alone do not show how good G is; the divergences do.",
        Settings(
            regularizer="r1", generator_lr=2e-3, discriminator_lr=2e-3, batch=256, **DEEP
        ),
    ),
    Scene(
        "trained",
        "The same game, already trained",
        "2,000 steps were made before you came. What happens to it when you raise D's learning "
        "rate now? When you train only G?",
        Settings(
            regularizer="r1", generator_lr=2e-3, discriminator_lr=2e-3, batch=256,
            head_start=2000, **DEEP,
        ),
    ),
)  # fmt: skip


def find_scene(name):
    """The scene of that name; ValueError lists the names."""
    for scene in SCENES:
        if scene.name == name:
            return scene
    known = ", ".join(scene.name for scene in SCENES)
    raise ValueError(f"scene: expected one of {known}, got {str(name)[:40]!r}")
