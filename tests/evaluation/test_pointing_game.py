"""Pointing game: hits by hand, and a network that must point at the emblems better than chance."""

import keras
import numpy as np
import pytest

import poster_cnn
from poster_cnn import models
from poster_cnn.datasets import check_posters
from poster_cnn.datasets.arrays import poster_arrays
from poster_cnn.evaluation.pointing_game import pointing_hits, score_explanations
from poster_cnn.movies.splits import leak_free


def test_pointing_hits():
    maps, masks = np.zeros((4, 4, 5)), np.zeros((4, 4, 5), bool)
    masks[:, :2] = True  # half of the picture
    maps[0, 1, 3] = maps[1, 2, 3] = 1
    maps[2, 1:3, 3] = 0.5  # two hottest points, one of them inside
    assert pointing_hits(maps, masks).tolist() == [1, 0, 0.5, 0.5]  # the last map is empty: a point at random
    with pytest.raises(ValueError, match=r"`maps` and `masks` must have the same shape .*maps.shape=\(4, 4, 5\)"):
        pointing_hits(maps, masks[:3])


@pytest.mark.slow
def test_grad_cam_points_at_the_emblems_of_a_trained_network_only():
    genres, size = ["Horror", "Romance", "Action", "Documentary"], (107, 73)
    folder = poster_cnn.embedded_dataset(masks=True)
    table = poster_cnn.load_movie_table(folder / "MovieGenre.csv", posters_dir=folder / "posters", genres=genres)
    table, _ = check_posters(table, progress=False)
    is_training = leak_free(table, genres) == "train"
    images, labels = poster_arrays(table[is_training], genres, image_size=size)
    keras.utils.set_random_seed(0)
    model = models.seven_layer_cnn((*size, 3), len(genres), classifier_activation="sigmoid")
    before = score_explanations(model, table[~is_training], genres, folder, methods=["grad_cam"]).iloc[0]
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    model.fit(images, labels, epochs=20, verbose=0)
    after = score_explanations(model, table[~is_training], genres, folder, methods=["grad_cam"]).iloc[0]
    assert after["num_posters"] > 80 and 0.15 < after["chance"] < 0.35
    assert after["low"] > max(after["chance"], after["other_map"]) and after["hits"] > before["hits"]
    # Emblems are in the middle, which a map of another poster knows too; random weights know no more than that.
    assert before["low"] < before["other_map"] < before["high"]
