"""Augmentation of training batches: repeatable, different in each epoch, and of the kinds that it names."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from poster_cnn.datasets.augmentation import augment

IMAGES = np.random.default_rng(0).uniform(20, 230, (11, 14, 10, 3)).astype("float32")
LABELS = np.eye(11, dtype="float32")


def batches_of(images=IMAGES, labels=LABELS):
    return tf.data.Dataset.from_tensor_slices((images, labels)).batch(4)


def augmented(name, seed=0, epoch=0, dataset=None):
    """Return the images and labels of an epoch as arrays."""
    found = list(augment(dataset or batches_of(), name, seed, epoch).as_numpy_iterator())
    assert [len(images) for images, _ in found] == [4, 4, 3]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


@pytest.mark.parametrize("name", ["flip", "light", "mixup", pytest.param("randaugment", marks=pytest.mark.slow)])
def test_random_numbers_depend_on_seed_epoch_and_batch(name):
    images, labels = augmented(name, seed=3, epoch=5)
    random.seed(7), np.random.seed(7), keras.utils.set_random_seed(7)
    repeated, same_labels = augmented(name, seed=3, epoch=5)
    assert (images == repeated).all() and (labels == same_labels).all()
    assert (images != augmented(name, seed=3, epoch=6)[0]).any() and (
        images != augmented(name, seed=4, epoch=5)[0]
    ).any()
    assert images.shape == IMAGES.shape and images.dtype == labels.dtype == "float32"
    assert -1e-3 <= images.min() and images.max() <= 255.001
    same = np.repeat(IMAGES[:1], 8, axis=0), np.repeat(np.eye(8, dtype="float32")[None], 8, axis=0)[:, 0]
    first, second = augment(tf.data.Dataset.from_tensor_slices(same).batch(4), name, 1, 0).as_numpy_iterator()
    assert name == "mixup" or (first[0] != second[0]).any()


def test_none_changes_nothing():
    dataset = batches_of()
    assert augment(dataset, "none", 0, 0) is dataset


def test_flip_mirrors_about_half_of_the_posters():
    mirrored = []
    for epoch in range(8):
        images, labels = augmented("flip", epoch=epoch)
        is_mirror = (images == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
        assert (is_mirror | (images == IMAGES).all(axis=(1, 2, 3))).all() and (labels == LABELS).all()
        mirrored.append(is_mirror)
    assert 0.3 < np.mean(mirrored) < 0.7


def test_light_crops_to_at_least_85_percent():
    ramp = np.broadcast_to(np.linspace(100, 150, 40, dtype="float32")[:, None, None], (11, 40, 30, 3))
    images, labels = augmented("light", dataset=batches_of(ramp))
    heights = (images[:, -1] - images[:, 0]).mean(axis=(1, 2)) / 50
    assert ((heights > 0.849) & (heights <= 1.001)).all() and heights.std() > 0.01
    brightness = images.mean(axis=(1, 2, 3)) - 125
    assert 5 < np.abs(brightness).max() < 25.5 + 4 and (labels == LABELS).all()


@pytest.mark.slow
def test_randaugment_chooses_for_each_poster():
    same = np.repeat(IMAGES[:1], 11, axis=0)
    images, labels = augmented("randaugment", dataset=batches_of(same))
    assert len(np.unique(images.round(3), axis=0)) >= 9 and (labels == LABELS).all()


def test_mixup_mixes_posters_and_labels_alike():
    flat = np.broadcast_to(np.arange(11, dtype="float32")[:, None, None, None] * 20, IMAGES.shape)
    images, labels = augmented("mixup", dataset=batches_of(flat))
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(images[:, 0, 0, 0], labels @ (np.arange(11) * 20), rtol=1e-4, atol=1e-3)
    assert ((labels > 0.01) & (labels < 0.99)).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "cutmix"}, "`name` must be one of .*'mixup'.*Received: name='cutmix'"),
        ({"seed": -1}, "`seed` must be 0"),
        ({"batches": IMAGES}, "`batches` must be a DatasetV2"),
    ],
)
def test_rejects_invalid_arguments(changes, message):
    with pytest.raises(ValueError, match=message):
        augment(**{"batches": batches_of(), "name": "flip", "seed": 0, "epoch": 0} | changes)
