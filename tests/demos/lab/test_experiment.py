"""Tests of the lab's experiment: its moves, its arrows, its divergences, its grid."""

import copy

import numpy as np
import pytest
from scipy.stats import norm

from lab import Experiment, Settings
from lab.experiment import CELLS as GRID_CELLS
from lab.experiment import COVERED, SAMPLES
from lab.look import look
from lab.mesh import CELLS, latent_mesh, mesh_cells, mesh_points
from lab.settings import CHOICES
from minigan.metrics import mode_coverage
from minigan.metrics.divergences import Grid, divergences
from minigan.objectives import OBJECTIVES
from minigan.optimizers import OPTIMIZERS
from support.recipes import REGULARIZERS

SMALL = {"generator_width": 8, "discriminator_width": 8, "batch": 16}


def weights(experiment):
    gan = experiment.gan
    return np.concatenate([gan.generator.parameters, gan.discriminator.parameters])


def test_looking_and_measuring_do_not_disturb_training():
    watched, alone = Experiment(Settings(**SMALL)), Experiment(Settings(**SMALL))
    for _ in range(3):
        watched.step()
        look(watched)
        watched.measure()
        alone.step()
    np.testing.assert_array_equal(weights(watched), weights(alone))


def test_half_steps_move_one_player_each():
    experiment = Experiment(Settings(**SMALL))
    G, D = experiment.gan.generator, experiment.gan.discriminator
    for move, moving, still in (("discriminator_step", D, G), ("generator_step", G, D)):
        before, other = moving.parameters.copy(), still.parameters.copy()
        getattr(experiment, move)()
        assert (moving.parameters != before).any()
        np.testing.assert_array_equal(still.parameters, other)


def test_a_generator_step_comes_first_if_asked():
    experiment = Experiment(Settings(**SMALL))
    experiment.generator_step()
    assert experiment.steps == 1 and np.isnan(experiment.history[0][1])


@pytest.mark.parametrize("objective", ["non-saturating", "wasserstein"])
def test_arrows_point_where_the_generators_loss_falls(objective):
    """Each is a sample's own: the gradient of the mean, times the number of samples."""
    experiment = Experiment(Settings(objective=objective, regularizer="r1", **SMALL))
    for _ in range(20):
        experiment.step()
    seen, twin = look(experiment), experiment.gan.discriminator.clone(dtype="float64")
    points = (seen.fake - experiment.centre) / experiment.scale
    for i in range(0, 50, 10):
        for k in range(2):
            losses = []
            for h in (1e-6, -1e-6):
                moved = points[i : i + 1].copy()
                moved[0, k] += h
                losses.append(float(experiment.gan.objective.generator(twin(moved))[0]))
            slope = (losses[0] - losses[1]) / 2e-6
            assert seen.push[i, k] == pytest.approx(-slope, rel=2e-3, abs=1e-4)


def test_the_verdict_is_2d_minus_1_on_the_plane():
    experiment = Experiment(Settings(data="ganlab-gaussians", **SMALL))
    experiment.step()
    seen, extent = look(experiment), experiment.extent
    corner = np.array([[extent[1], extent[2]]])  # right, bottom: the first row's last point
    logit = experiment.gan.discriminator(experiment.to_networks(corner))
    expected = 2 / (1 + np.exp(-float(logit[0, 0]))) - 1
    assert seen.verdict[0, -1] == pytest.approx(expected, rel=1e-5)
    fakes = experiment.gan.discriminator(experiment.to_networks(seen.fake))
    np.testing.assert_allclose(seen.logits, fakes[:, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_every_objective_plays(objective):
    experiment = Experiment(Settings(objective=objective, regularizer="wgan-gp", **SMALL))
    experiment.step()
    assert np.isfinite(experiment.history[0]).all()
    assert np.abs(look(experiment).verdict).max() <= 1


@pytest.mark.parametrize("name", sorted({*REGULARIZERS} - {"none"}))
@pytest.mark.parametrize("optimizer", sorted(OPTIMIZERS))
def test_every_regularizer_and_optimizer_plays(name, optimizer):
    experiment = Experiment(
        Settings(
            regularizer=name,
            generator_lr=1e-4,
            generator_optimizer=optimizer,
            discriminator_optimizer=optimizer,
            **SMALL,
        )
    )
    experiment.step()
    assert np.isfinite(experiment.history[0]).all()


@pytest.mark.parametrize("data", [name for name in CHOICES["data"] if name != "drawn"])
def test_divergences_of_all_data(data):
    """Of an untrained generator they are large; the data's own cells hold the data."""
    experiment = Experiment(Settings(data=data, **SMALL))
    experiment.measure()
    step, kl, js = experiment.divergences[0]
    assert step == 0 and kl > 0.3 and 0.1 < js <= np.log(2)
    samples = experiment.data.sample(100_000, np.random.default_rng(1))
    masses = Grid(experiment.extent, GRID_CELLS).from_samples(samples, experiment._blur, 1e-3)
    assert 0.5 * np.abs(masses - experiment.masses).sum() < 0.05


def test_divergences_and_modes_are_the_librarys_on_the_same_samples():
    """The grid sums to one, both sides are blurred alike, and the samples are the next ones."""
    experiment = Experiment(Settings(data="grid", **SMALL))
    for _ in range(3):
        experiment.step()
    rng = copy.deepcopy(experiment._view_rng)
    experiment.measure()
    fake = experiment.generate(experiment.gan.latent.sample(SAMPLES, rng))
    grid, blur = Grid(experiment.extent, GRID_CELLS), experiment._blur
    p = grid.from_density(experiment.data, smoothing=blur, refine=8)
    q = grid.from_samples(fake, smoothing=blur, pseudocount=1e-3)
    assert p.sum() == pytest.approx(1, abs=1e-12) and q.sum() == pytest.approx(1, abs=1e-12)
    found = divergences(p, q)
    assert experiment.divergences[-1] == (3, found.kl, found.jensen_shannon)
    modes = mode_coverage(fake[:COVERED], experiment.data.means, experiment.data.sigma)
    assert experiment.coverage[-1] == (3, modes.modes, modes.high_quality)


def test_k_updates_of_each_player():
    experiment = Experiment(Settings(generator_steps=3, discriminator_steps=2, **SMALL))
    experiment.step()
    gan = experiment.gan
    assert (gan.generator_optimizer.steps, gan.discriminator_optimizer.steps) == (3, 2)
    assert experiment.steps == len(experiment.history) == 3


def test_drawn_points_are_the_data():
    points = ((0.2, 0.3), (0.8, 0.6))
    experiment = Experiment(Settings(data="drawn", points=points, **SMALL))
    near = np.abs(experiment.real[:, None] - np.array(points)).max(axis=2).min(axis=1)
    assert near.max() < 0.2 and experiment.extent == (0, 1, 0, 1)


@pytest.mark.parametrize("objective", ["kl", "pearson", "squared-hellinger", "least-squares"])
def test_heights_without_a_zero_of_their_own_are_shown_about_their_middle(objective):
    """The mean verdict on the real samples is as far above 0 as that on the fakes is below."""
    settings = Settings(objective=objective, regularizer="r1", **SMALL)
    experiment = Experiment(settings)
    experiment.gan.discriminator.parameters[-1] += 9  # as log odds: all is real
    seen = look(experiment)
    assert seen.verdict.min() < 0 < seen.verdict.max() and settings.is_critic


def test_live_changes():
    experiment = Experiment(Settings(**SMALL))
    experiment.adjust(generator_lr=0.25, discriminator_lr=0.5, discriminator_steps=2)
    gan = experiment.gan
    found = gan.generator_optimizer.lr, gan.discriminator_optimizer.lr, gan.discriminator_steps
    assert found == (0.25, 0.5, 2)
    with pytest.raises(ValueError, match="mid-game"):
        experiment.adjust(generator_layers=3)


@pytest.mark.parametrize("noise, distribution", [("normal", norm.cdf), ("uniform", None)])
def test_cells_of_the_mesh_are_equally_probable(noise, distribution):
    ticks = latent_mesh(noise, 1)[:, 0]
    cumulative = (ticks + 1) / 2 if distribution is None else distribution(ticks)
    inner = np.diff(cumulative)[1:-1]
    np.testing.assert_allclose(inner, 1 / CELLS, rtol=1e-9)


def test_the_mesh_of_the_identity_is_the_noise_itself():
    corners = latent_mesh("uniform", 2)
    cells = mesh_cells(mesh_points(corners, lambda z: z))
    assert cells.shape == (CELLS**2, 4, 2)
    np.testing.assert_allclose(cells[0].min(axis=0), [-1, -1])
    np.testing.assert_allclose(cells[-1].max(axis=0), [1, 1])
    np.testing.assert_allclose(np.ptp(cells, axis=1), 2 / CELLS)  # each a square
    # A walk around the cell: consecutive corners differ along one axis.
    steps = np.abs(np.diff(cells, axis=1)) > 1e-9
    assert (steps.sum(axis=2) == 1).all()


@pytest.mark.parametrize("dimension, shape", [(1, (CELLS, 2, 2)), (3, (0, 4, 2))])
def test_meshes_of_other_dimensions(dimension, shape):
    experiment = Experiment(Settings(noise_dimension=dimension, **SMALL))
    assert mesh_cells(look(experiment).mesh).shape == shape
