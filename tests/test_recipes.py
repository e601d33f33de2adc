"""The table of recipes: complete, without doubles, and found by either name."""

import pytest

from minigan import OBJECTIVES
from minigan.recipes import RECIPES, REGULARIZERS, find_recipe
from minigan.regularizers import R1, WGANGP, WeightClipping


def test_every_objective_and_every_regularizer_has_a_row():
    assert {r.objective for r in RECIPES} == {*OBJECTIVES, "feature-matching", "moment-matching"}
    assert {r.regularizer for r in RECIPES} == set(REGULARIZERS)
    assert len({(r.objective, r.regularizer) for r in RECIPES}) == len(RECIPES)


def test_found_by_either_name():
    assert find_recipe() is RECIPES[0]
    assert find_recipe("hinge").objective == "hinge"
    assert find_recipe(regularizer="wgan-gp").objective == "wasserstein"
    assert find_recipe("hinge", "spectral-norm").regularizer == "spectral-norm"
    with pytest.raises(ValueError, match=r"for minimax with clipping; there is .*wgan-gp"):
        find_recipe("minimax", "clipping")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda r: f"{r.objective}, {r.regularizer}")
def test_its_regularizer_is_made_with_its_strength(recipe):
    made = recipe.make_regularizer()
    if recipe.regularizer in ("none", "spectral-norm"):
        assert made is None and recipe.strength is None
    else:
        assert type(made) is REGULARIZERS[recipe.regularizer]
        assert getattr(made, "weight", getattr(made, "limit", None)) == recipe.strength
    if recipe.objective in OBJECTIVES and OBJECTIVES[recipe.objective].needs_constraint:
        assert recipe.regularizer != "none"


def test_the_names_are_the_papers():
    kinds = {"clipping": WeightClipping, "wgan-gp": WGANGP, "r1": R1}
    assert {name: REGULARIZERS[name] for name in kinds} == kinds
