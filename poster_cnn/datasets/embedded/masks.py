"""Masks of the embedded posters: where the emblem and the lettering of each lie."""

import dataclasses
import pathlib

import numpy as np
import pandas as pd
from PIL import Image

from poster_cnn.metrics import arguments


@dataclasses.dataclass(frozen=True)
class Masks:
    """Masks of some posters.

    Attributes:
        genres: Genre that each emblem stands for, list of str.
        emblem: bool array `(num_posters, 268, 182)`, the visible pixels of the emblem.
        lettering: bool array of the same shape, the pixels of title, cast and credits.
    """

    genres: list
    emblem: np.ndarray
    lettering: np.ndarray


@arguments.checked(folder=arguments.path, imdb_ids=arguments.sequence)
def read_masks(folder, imdb_ids):
    """Read the masks of some posters of a dataset of drawn posters.

    Args:
        folder: Data folder from `embedded_dataset(masks=True)` or `make_dataset(..., masks=True)`.
        imdb_ids: Ids of the movies.

    Returns:
        `Masks`, in the order of `imdb_ids`.

    Raises:
        FileNotFoundError: If the folder has no masks, or none for one of the movies.
    """
    folder = pathlib.Path(folder) / "masks"
    if not (folder / "emblems.csv").is_file():
        raise FileNotFoundError(f"No masks found. Create them with embedded_dataset(masks=True). Looked for {folder}.")
    genres = pd.read_csv(folder / "emblems.csv", index_col="imdbId")["genre"]
    files = [folder / f"{imdb_id}.png" for imdb_id in imdb_ids]
    pixels = np.stack([np.asarray(Image.open(file)) for file in files]) if files else np.zeros((0, 268, 182))
    return Masks(genres.reindex(imdb_ids).tolist(), pixels == 255, pixels == 128)
