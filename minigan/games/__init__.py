"""Variants of the game: with labels, without a discriminator, with four networks."""

from minigan.games.conditional import ConditionalGAN
from minigan.games.critic import CriticGame, critic_difference
from minigan.games.cycle import CycleGAN
from minigan.games.feature_matching import FeatureMatchingGAN
from minigan.games.moment_matching import MomentMatching, mmd_squared, witness

__all__ = [
    "ConditionalGAN",
    "CriticGame",
    "CycleGAN",
    "FeatureMatchingGAN",
    "MomentMatching",
    "critic_difference",
    "mmd_squared",
    "witness",
]
