"""The table of recipes: complete, without doubles, and found by either name."""

from dataclasses import replace

import numpy as np
import pytest

from minigan import (
    DRAGAN,
    OBJECTIVES,
    R1,
    R2,
    WGANGP,
    Dense,
    OneSidedPenalty,
    Sequential,
    WeightClipping,
)
from support.recipes import RECIPES, REGULARIZERS, find_recipe
from support.toy_variants import VARIANTS

BOUNDS = {
    "none": type(None),
    "clipping": WeightClipping,
    "wgan-gp": WGANGP,
    "one-sided": OneSidedPenalty,
    "dragan": DRAGAN,
    "r1": R1,
    "r2": R2,
    "spectral-norm": type(None),
}


def test_every_objective_and_every_regularizer_has_a_row():
    assert {r.objective for r in RECIPES} == {*OBJECTIVES, "feature-matching", "moment-matching"}
    assert {r.bounded_by for r in RECIPES} == set(BOUNDS)
    assert len({(r.objective, r.bounded_by, r.preset) for r in RECIPES}) == len(RECIPES)


def test_found_by_either_name():
    assert find_recipe() is RECIPES[0]
    assert find_recipe("hinge").objective == "hinge"
    assert find_recipe(bounded_by="wgan-gp").objective == "wasserstein"
    assert find_recipe("hinge", "spectral-norm").bounded_by == "spectral-norm"
    assert find_recipe("non-saturating", preset="sharp").preset == "sharp"
    assert find_recipe("non-saturating", "r1").preset == "fast"
    with pytest.raises(ValueError, match="minimax goes with r1, clipping with wasserstein"):
        find_recipe("minimax", "clipping")
    with pytest.raises(ValueError, match="--preset sharp: there, minimax goes with none"):
        find_recipe("minimax", preset="sharp")


def test_one_table_of_regularizers():
    """Spectral norms are D's layers."""
    assert set(REGULARIZERS) == set(BOUNDS) - {"spectral-norm"}
    for name, regularizer in REGULARIZERS.items():
        assert type(regularizer) is BOUNDS[name]


NAMES = [f"{r.objective}, {r.bounded_by}, {r.preset}" for r in RECIPES]


@pytest.mark.parametrize("recipe", RECIPES, ids=NAMES)
def test_a_row_does_what_its_names_say(recipe):
    regularizer = recipe.make_regularizer(100)
    assert type(regularizer) is BOUNDS[recipe.bounded_by]
    assert (recipe.schedule(100)(0), recipe.schedule(100)(100)) == (1, recipe.end)
    if regularizer is not None and hasattr(regularizer, "weight"):
        assert regularizer.weight == (recipe.regularizer or REGULARIZERS[recipe.bounded_by]).weight
        assert regularizer.steady == (recipe.penalty_end == 1)
        assert regularizer.schedule(0) == 1
        assert regularizer.schedule(100) == pytest.approx(recipe.penalty_end)
    if recipe.objective in OBJECTIVES and OBJECTIVES[recipe.objective].needs_constraint:
        assert regularizer is not None


def test_the_rate_of_g_is_its_own_in_a_game_without_d():
    recipe = replace(find_recipe("moment-matching"), generator_lr=1e-5)
    latent, rng = recipe.make_latent(), np.random.default_rng(0)
    G = Sequential([Dense(2, 2)], (2,), rng=rng)
    gan = VARIANTS["moment-matching"](recipe, G, None, 3, latent=latent, rng=rng)
    assert gan.generator_optimizer.lr == 1e-5
    assert recipe.make_optimizer(G, "discriminator").lr == recipe.lr
