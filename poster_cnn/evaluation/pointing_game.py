"""Pointing game: how often the hottest point of an explanation lies on the emblem of a drawn poster."""

import numpy as np
import pandas as pd
from PIL import Image

from poster_cnn.datasets.arrays import poster_arrays
from poster_cnn.datasets.embedded.masks import read_masks
from poster_cnn.evaluation.explain import METHODS, heat_maps
from poster_cnn.metrics import arguments, bootstrap_interval


def pointing_hits(maps, masks):
    """Return for each map whether its hottest point lies in the mask.

    Reference: J. Zhang et al., "Top-down Neural Attention by Excitation Backprop", https://arxiv.org/abs/1608.00507.

    Args:
        maps: Floats `(num_images, height, width)`, from `evaluation.explain`.
        masks: bool array of the same shape.

    Returns:
        float64 array `(num_images,)`. If several points are the hottest, it is the share of them that lies in the mask,
        so that a map without any difference counts as a point at random.
    """
    maps, masks = np.asarray(maps), np.asarray(masks, dtype=bool)
    if maps.shape != masks.shape or maps.ndim != 3:
        raise ValueError(
            "`maps` and `masks` must have the same shape (num_images, height, width). "
            f"Received: maps.shape={maps.shape}, masks.shape={masks.shape}"
        )
    hottest = maps >= maps.max(axis=(1, 2), keepdims=True)
    return (hottest & masks).sum(axis=(1, 2)) / hottest.sum(axis=(1, 2))


@arguments.checked(table=arguments.table("imdb_id", "poster_path", empty=False), folder=arguments.path)
def score_explanations(model, table, class_names, folder, *, methods=METHODS, num_resamples=1000):
    """Play the pointing game on drawn posters: explain the genre of each emblem.

    Posters whose emblem stands for a genre that the model does not know are left out.

    Args:
        model: `keras.Model` of pictures.
        table: Movie table of posters that the model was not trained on.
        class_names: Genres in the order of the model's outputs.
        folder: Data folder with masks, from `embedded_dataset(masks=True)`.
        methods: Names of methods. A class activation map is left out if the network has none. Defaults to all.
        num_resamples: Number of bootstrap resamples of the posters. Defaults to 1000.

    Returns:
        DataFrame, one row per method: `method` (str), `num_posters` (int), and shares of posters, 0..1: `hits` (the
        hottest point lies on the emblem), `low` and `high` (its 95% interval), `chance` (a point at random, the mean
        area of the emblems), `center` (the center of the picture), `other_map` (the hottest point of another poster),
        `lettering` (the hottest point lies on the lettering) and `no_evidence` (the map is zero).
    """
    class_names, size = list(class_names), model.input_shape[1:3]
    masks = read_masks(folder, table["imdb_id"].tolist())
    known = np.isin(masks.genres, class_names)
    images, _ = poster_arrays(table[known], class_names, image_size=size)
    emblem, lettering = (_resized(mask[known], size) for mask in (masks.emblem, masks.lettering))
    chosen = [class_names.index(genre) for genre in np.array(masks.genres)[known]]
    rows = []
    for method in methods:
        try:
            maps = heat_maps(model, images, chosen, method=method)
        except ValueError:
            if method != "class_activation_map":
                raise
            continue
        hits = pointing_hits(maps, emblem)
        low, high = bootstrap_interval(
            lambda _, hits: hits.mean(), np.ones((len(hits), 1)), hits[:, None], num_resamples=num_resamples
        )
        rows.append(
            {"method": method, "num_posters": len(hits), "hits": hits.mean(), "low": low, "high": high}
            | {"chance": emblem.mean(), "center": emblem[:, size[0] // 2, size[1] // 2].mean()}
            | {"other_map": pointing_hits(np.roll(maps, 1, axis=0), emblem).mean()}
            | {"lettering": pointing_hits(maps, lettering).mean(), "no_evidence": (maps.max(axis=(1, 2)) == 0).mean()}
        )
    return pd.DataFrame(rows)


def _resized(masks, size):
    """Return masks of another size, true where most of a pixel's area is."""
    height, width = size
    resized = [Image.fromarray(mask).convert("L").resize((width, height), Image.Resampling.BOX) for mask in masks]
    return np.stack([np.asarray(image) for image in resized]) > 127
