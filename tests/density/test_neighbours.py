import numpy as np
import pytest
import scipy.stats

from minigan.density import NearestNeighbours


def test_by_hand_on_a_line():
    model = NearestNeighbours(2).fit(np.array([[0.0], [1.0], [5.0], [7.0]]))
    # From 2 the second nearest of the four is 0, at distance 2: 2 / (4 · 2 · 2).
    np.testing.assert_allclose(np.exp(model.log_density(np.array([[2.0]]))), [1 / 8])


@pytest.mark.parametrize(("d", "ball"), [(1, 2), (2, np.pi), (3, 4 * np.pi / 3)])
@pytest.mark.parametrize("k", [1, 4, 30])
def test_agrees_with_sorting_all_distances(d, ball, k):
    rng = np.random.default_rng(0)
    x, queries = rng.standard_normal((30, d)), rng.standard_normal((8, d))
    distances = np.linalg.norm(queries[:, None] - x, axis=2)
    radius = np.sort(distances, axis=1)[:, k - 1]
    model = NearestNeighbours(k).fit(x)
    np.testing.assert_allclose(np.exp(model.log_density(queries)), k / (30 * ball * radius**d))


def test_over_a_bounded_region_it_comes_close_to_the_truth():
    """The mean error over a square shrinks as n grows with k = √n."""
    rng = np.random.default_rng(0)
    axis = np.linspace(-1.5, 1.5, 30)
    points = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    truth = scipy.stats.multivariate_normal(np.zeros(2)).pdf(points)
    errors = []
    for n in (100, 1600, 25_600):
        model = NearestNeighbours(int(np.sqrt(n))).fit(rng.standard_normal((n, 2)))
        errors.append(np.abs(np.exp(model.log_density(points)) - truth).mean() / truth.mean())
    assert errors[0] > 1.5 * errors[1] > 2.25 * errors[2]
    assert errors[2] < 0.1


def test_it_does_not_integrate_to_one():
    """Each doubling of the radius adds about (k/n) log 2 on a line, however far away."""
    n, k = 50, 5
    x = np.random.default_rng(0).uniform(-1, 1, (n, 1))
    model = NearestNeighbours(k).fit(x)
    for radius in (1e3, 1e6, 1e9):
        log_distance = np.linspace(np.log(radius), np.log(2 * radius), 400)
        distance = np.exp(log_distance)
        total = 0
        for side in (-1, 1):
            density = np.exp(model.log_density(side * distance[:, None]))
            total += np.trapezoid(density * distance, log_distance)
        assert total == pytest.approx(k / n * np.log(2), rel=2e-3)


def test_at_a_sample_the_nearest_neighbour_is_itself():
    x = np.array([[0.0], [1.0], [1.0]])
    assert NearestNeighbours(1).fit(x).log_density(x).tolist() == [np.inf] * 3
    two = NearestNeighbours(2).fit(x).log_density(x)
    assert np.isfinite(two[0]) and (two[1:] == np.inf).all()


def test_it_cannot_be_sampled():
    assert not hasattr(NearestNeighbours(1), "sample")


def test_more_neighbours_than_samples():
    with pytest.raises(ValueError, match="at least k = 4 samples, got 3"):
        NearestNeighbours(4).fit(np.zeros((3, 1)))
