import numpy as np
import pytest
from sklearn.decomposition import PCA

from eisbach.metrics import trajectory


def test_the_area_of_a_square_is_its_area_wherever_it_lies():
    square = np.array([[0.0, 0, 9], [2, 0, 9], [2, 2, 9], [0, 2, 9], [1, 1, 9]])
    assert trajectory.area(square) == pytest.approx(4)
    assert trajectory.area(square + 100) == pytest.approx(4)
    assert trajectory.area(3 * square) == pytest.approx(36)


@pytest.mark.parametrize("path", [np.outer(np.arange(9.0), [1, 1]), np.ones((9, 2)), np.ones((1, 2)), np.ones((2, 2))])
def test_a_line_and_a_point_sweep_nothing(path):
    assert trajectory.area(path) == 0


def test_the_basis_is_sklearn_s_pca():
    clips = [np.random.default_rng(k).standard_normal((6, 200)) * np.arange(1, 7)[:, None] for k in range(3)]
    basis = trajectory.fit(clips, 3)
    wanted = PCA(3).fit(np.hstack(clips).T)
    assert np.abs(basis.directions @ wanted.components_.T) == pytest.approx(np.eye(3), abs=1e-6)
    assert np.abs(basis.path(clips[0])) == pytest.approx(np.abs(wanted.transform(clips[0].T)))


def test_participation_ratio_counts_equal_directions():
    rng = np.random.default_rng(0)
    assert trajectory.participation_ratio(rng.standard_normal((20000, 6))) == pytest.approx(6, rel=0.01)
    assert trajectory.participation_ratio(np.outer(rng.standard_normal(100), np.ones(6))) == pytest.approx(1)
    assert trajectory.participation_ratio(np.ones((10, 6))) == 1


def test_clusters_far_apart_are_separate_and_a_cloud_is_not():
    rng = np.random.default_rng(0)
    cloud = rng.standard_normal((90, 5))
    centres = np.repeat(100 * np.eye(5)[:3], 30, axis=0)
    assert trajectory.cluster_separation(cloud + centres) > 0.95
    assert trajectory.cluster_separation(cloud) < 0.3
    assert trajectory.cluster_separation(cloud + centres) == pytest.approx(
        trajectory.cluster_separation((cloud + centres)[rng.permutation(90)])
    )
    assert trajectory.cluster_separation(np.ones((90, 5))) == 0


def test_sections_differ_by_the_share_of_variance_between_them():
    quarters = np.repeat(np.arange(4.0), 25)[:, None] * np.ones(3)
    assert trajectory.section_differentiation(quarters) == pytest.approx(1)
    noise = np.random.default_rng(0).standard_normal((4000, 3))
    assert trajectory.section_differentiation(noise) == pytest.approx(3 / 3999, abs=2e-3)
    assert trajectory.section_differentiation(np.ones((100, 3))) == 0
    assert trajectory.section_differentiation(np.ones((1, 3))) == 0
