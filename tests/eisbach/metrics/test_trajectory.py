import numpy as np
import pytest
from sklearn.decomposition import PCA

from eisbach.metrics import trajectory

SQUARE = np.array([[0.0, 0, 9], [2, 0, 9], [2, 2, 9], [0, 2, 9], [1, 1, 9]])


def test_the_area_of_a_square_is_its_side_squared():
    assert trajectory.area(SQUARE) == pytest.approx(4)
    assert trajectory.area(3 * SQUARE) == pytest.approx(36)


def test_translation_does_not_change_the_area():
    assert trajectory.area(SQUARE + 100) == pytest.approx(trajectory.area(SQUARE))


@pytest.mark.parametrize("path", [np.outer(np.arange(9.0), [1, 1]), np.ones((9, 2)), np.ones((1, 2)), np.ones((2, 2))])
def test_lines_and_points_have_no_area(path):
    assert trajectory.area(path) == 0


def test_the_basis_is_sklearn_s_pca():
    clips = [np.random.default_rng(k).standard_normal((6, 200)) * np.arange(1, 7)[:, None] for k in range(3)]
    basis = trajectory.fit(clips, 3)
    wanted = PCA(3).fit(np.hstack(clips).T)
    assert np.abs(basis.directions @ wanted.components_.T) == pytest.approx(np.eye(3), abs=1e-6)
    assert np.abs(basis.path(clips[0])) == pytest.approx(np.abs(wanted.transform(clips[0].T)))


def test_the_participation_ratio_of_white_noise_is_its_number_of_dimensions():
    rng = np.random.default_rng(0)
    assert trajectory.participation_ratio(rng.standard_normal((20000, 6))) == pytest.approx(6, rel=0.01)


def test_the_participation_ratio_of_a_line_and_of_a_constant_path_is_one():
    line = np.outer(np.random.default_rng(0).standard_normal(100), np.ones(6))
    assert trajectory.participation_ratio(line) == pytest.approx(1)
    assert trajectory.participation_ratio(np.ones((10, 6))) == 1


CLOUD = np.random.default_rng(0).standard_normal((90, 5))
CLUSTERS = CLOUD + np.repeat(100 * np.eye(5)[:3], 30, axis=0)


def test_distant_clusters_are_separated_and_a_gaussian_is_not():
    assert trajectory.cluster_separation(CLUSTERS) > 0.95
    assert trajectory.cluster_separation(CLOUD) < 0.3


def test_the_order_of_frames_does_not_change_cluster_separation():
    order = np.random.default_rng(1).permutation(90)
    assert trajectory.cluster_separation(CLUSTERS[order]) == pytest.approx(trajectory.cluster_separation(CLUSTERS))


def test_a_constant_path_has_no_clusters():
    assert trajectory.cluster_separation(np.ones((90, 5))) == 0


def test_constant_quarters_have_all_variance_between_them():
    quarters = np.repeat(np.arange(4.0), 25)[:, None] * np.ones(3)
    assert trajectory.section_differentiation(quarters) == pytest.approx(1)


def test_noise_has_the_expected_share_of_variance_between_quarters():
    noise = np.random.default_rng(0).standard_normal((4000, 3))
    assert trajectory.section_differentiation(noise) == pytest.approx(3 / 3999, abs=2e-3)


def test_a_constant_path_and_one_frame_have_no_variance_between_quarters():
    assert trajectory.section_differentiation(np.ones((100, 3))) == 0
    assert trajectory.section_differentiation(np.ones((1, 3))) == 0
