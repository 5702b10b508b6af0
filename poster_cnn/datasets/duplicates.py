"""Duplicates and leaks: which posters are copies of each other, and which test posters have a copy in train."""

import base64
import dataclasses
import pathlib

import numpy as np
import pandas as pd
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from poster_cnn.files import write_atomically
from poster_cnn.movies import splits

# Measured on 10,349 posters and on 11 kinds of copies of 600 of them (quality 40, half the size, up to 5% cut off each
# side, all of it together): at least 99.6% of each kind are found, and no two different posters get above 0.86. With
# 10 bits instead of 8, different posters reach 0.94.
MIN_SIMILARITY = 0.9
_KINDS = ("same_movie", "same_pixels", "similar")
_MAX_DISTANCE = 8  # bits of 64 in which the hashes of copies may differ
_BANDS = [(0, 11), (11, 11), (22, 11), (33, 11), (44, 10), (54, 10)]  # (first bit, bits) of each part of a hash


def similar_pairs(manifest, *, min_similarity=MIN_SIMILARITY):
    """Finds posters that are the same picture, recompressed, resized or slightly cropped (near-duplicates).

    Each poster's perceptual hash is compared with those of 25 slightly cropped versions of each other, but only where
    one of six parts of the hashes is equal, so that the time grows far less than with the number of pairs. What is left
    is compared by its lowest frequencies. Color is not looked at. Flat pictures have no near-duplicates.

    Args:
        manifest: DataFrame from `ingest.verify`, or report of `ingest.check_posters`.
        min_similarity: Least similarity, up to 1. Defaults to 0.9.

    Returns:
        DataFrame, a row per pair of different pictures (pixel for pixel equal ones count as one): `first`, `second`
        (labels of the manifest's index, of the first poster with that picture), `similarity` (float), in falling order.
    """
    pictures = manifest[_pixel_hashes(manifest) != ""].drop_duplicates("pixel_hash")
    kept = frequencies(pictures["signature"])
    hashes = np.array([int(text, 16) for text in pictures["perceptual_hash"]], dtype=np.uint64)
    index = [_sort_by_part(hashes, band) for band in _BANDS]
    found = {}
    whole = None
    for lowest in cropped_versions(kept):
        cropped = directions(lowest)
        whole = cropped if whole is None else whole
        cropped_hashes = hash_bits(lowest)
        for band, part_index in zip(_BANDS, index, strict=True):
            a, b = _equal_parts(cropped_hashes, part_index, band)
            close = (np.bitwise_count(cropped_hashes[a] ^ hashes[b]) <= _MAX_DISTANCE) & (a != b)
            a, b = a[close], b[close]
            similarity = np.einsum("ij,ij->i", cropped[a], whole[b])
            for i, j, value in zip(a, b, similarity, strict=True):
                if value >= min_similarity:
                    pair = (min(i, j), max(i, j))
                    found[pair] = max(found.get(pair, 0), float(value))
    pairs = pd.DataFrame([(*pair, value) for pair, value in found.items()], columns=["first", "second", "similarity"])
    pairs = pairs.sort_values(["similarity", "first", "second"], ascending=[False, True, True], ignore_index=True)
    labels = pictures.index.to_numpy()
    return pairs.assign(first=labels[pairs["first"].astype(int)], second=labels[pairs["second"].astype(int)])


def duplicate_groups(manifest, *, pairs=None):
    """Puts posters of the same movie, equal posters and near-duplicates into one group, for splits that tear none.

    Args:
        manifest: DataFrame from `ingest.verify`, or report of `ingest.check_posters`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: found here.

    Returns:
        Series of int64 over the manifest's index: the group's smallest imdb_id (where a file has none, a number below
        zero stands for it).

    Example:

    >>> table, report = ingest.check_posters(table)
    >>> groups = duplicate_groups(report).loc[table.index]
    """
    _require_unique_index(manifest)
    pairs = similar_pairs(manifest) if pairs is None else pairs
    own = pd.Series(-1 - np.arange(len(manifest)), index=manifest.index)
    movies = manifest["imdb_id"].astype("Int64").fillna(own).astype("int64")
    numbers = pd.Series(np.arange(len(manifest)), index=manifest.index)
    pictures = _pixel_hashes(manifest)
    pictures = pictures.where(pictures != "", own.astype(str))
    edges = [
        (numbers, numbers.groupby(movies).transform("first")),
        (numbers, numbers.groupby(pictures).transform("first")),
        (numbers.loc[pairs["first"]], numbers.loc[pairs["second"]]),
    ]
    a, b = (np.concatenate([edge[side] for edge in edges]) for side in (0, 1))
    graph = coo_array((np.ones(len(a)), (a, b)), shape=(len(manifest), len(manifest)))
    _, component = connected_components(graph, directed=False)
    return movies.groupby(component).transform("min").rename("group")


def describe_duplicates(manifest, *, pairs=None, max_pairs=10):
    """Counts equal and near-duplicate posters in a manifest, and names some, as a few lines of text.

    Args:
        manifest: DataFrame from `ingest.verify`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: found here.
        max_pairs: Most near-duplicate pairs to name. Defaults to 10.
    """
    pairs = similar_pairs(manifest) if pairs is None else pairs
    usable = manifest[manifest["verdict"] != "quarantined"]
    lines = [f"{len(usable):,} usable posters"]
    for what, column in (("the same bytes", "sha256"), ("the same pixels", "pixel_hash")):
        sizes = usable[column].value_counts()
        lines.append(f"{(sizes > 1).sum():>6,} groups with {what}, {sizes[sizes > 1].sum():,} posters in them")
    lines.append(f"{len(pairs):>6,} further pairs that look the same")
    for pair in pairs.head(max_pairs).itertuples():
        names = [manifest.at[label, "file"] for label in (pair.first, pair.second)]
        lines.append(f"        {names[0]}  {names[1]}  similarity {pair.similarity:.3f}")
    return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class LeakCertificate:
    """Says how many posters of each part of a split have a copy in another part; `print` shows it as a small table.

    Attributes:
        rows: List of dicts, one for each two parts: `part`, `copies_in`, `posters`, `same_movie`, `same_pixels`,
            `similar`, `leaked` (any of the three), `fraction` (of the part's posters), `examples` (pairs of imdb_id).
    """

    rows: list

    @property
    def clean(self):
        """Whether no test or validation poster has a copy in train, nor a test poster in validation."""
        return not any(row["leaked"] for row in self.rows)

    def to_dict(self):
        """The certificate as a dict that can be written as JSON."""
        return {"clean": self.clean, "leaks": self.rows}

    def __str__(self):
        if not self.rows:
            return "Leak certificate: no two parts to compare"
        frame = pd.DataFrame(self.rows).drop(columns="examples")
        frame["fraction"] = [f"{fraction:.1%}" for fraction in frame["fraction"]]
        frame.columns = [name.replace("_", " ") for name in frame.columns]
        said = "no copy is torn apart" if self.clean else "some posters have a copy in another part"
        return f"Leak certificate: {said}\n{frame.to_string(index=False)}"


def leak_certificate(split, manifest, *, pairs=None, max_examples=20):
    """Counts the posters of a split that have a copy in a part where they must not have one.

    A copy is another poster of the same movie, a poster with the same pixels, or a near-duplicate.

    Args:
        split: Series of "train", "validation", "test"; others, such as "unused", are left out.
        manifest: Report of `ingest.check_posters`, or DataFrame from `ingest.verify`; its index has the split's labels.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: found here.
        max_examples: Most pairs of imdb_id to name for each two parts. Defaults to 20.

    Returns:
        `LeakCertificate`: test against train, validation against train, test against validation.

    Raises:
        ValueError: The manifest lacks posters of the split.

    Example:

    >>> table, report = ingest.check_posters(table)
    >>> print(leak_certificate(split, report))
    """
    _require_unique_index(manifest)
    missing = split.index.difference(manifest.index)
    if len(missing):
        raise ValueError(f"`manifest` must have every poster of `split`. Received: without {list(missing[:5])}")
    pairs = similar_pairs(manifest) if pairs is None else pairs
    hashes = _pixel_hashes(manifest)
    posters = pd.DataFrame({"imdb_id": manifest["imdb_id"].astype("Int64"), "pixel_hash": hashes}).loc[split.index]
    both = pd.DataFrame({"a": hashes.loc[pairs["first"]].to_numpy(), "b": hashes.loc[pairs["second"]].to_numpy()})
    partners = pd.concat([both, both.rename(columns={"a": "b", "b": "a"})])
    rows = []
    for part, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        if (split == part).any() and (split == other).any():
            copies = _copies(posters[split == part], posters[split == other], partners)
            rows.append({"part": part, "copies_in": other} | _count(copies, int((split == part).sum()), max_examples))
    return LeakCertificate(rows)


def compare_splits(table, class_names, manifest, *, pairs=None, seed=0):
    """How much different ways of splitting a table leak: a random one, paper 1's, and the leak-free one.

    Args:
        table: Movie table of `ingest.check_posters`.
        class_names: Genres of the movies to split; others are left out.
        manifest: Report of the same `ingest.check_posters`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: found here.
        seed: Seed of the random splits. Defaults to 0.

    Returns:
        DataFrame, a row per way and two parts: `split` ("random", "imdb_id", "leak_free"), `part`, `copies_in`,
        `posters`, `leaked`, `fraction`.
    """
    pairs = similar_pairs(manifest) if pairs is None else pairs
    wanted = table["genres"].map(lambda genres: bool(set(genres) & set(class_names)))
    table = table[wanted & table["year"].notna()]
    chance = np.random.default_rng(seed).choice(splits.PARTS, len(table), p=(0.7, 0.1, 0.2))
    groups = duplicate_groups(manifest, pairs=pairs).loc[table.index]
    ways = {
        "random": pd.Series(chance, index=table.index),
        "imdb_id": splits.imdb_id_split(table),
        "leak_free": splits.leak_free(table, class_names, groups=groups, seed=seed),
    }
    rows = [
        {"split": name} | row for name, way in ways.items() for row in leak_certificate(way, manifest, pairs=pairs).rows
    ]
    return pd.DataFrame(rows)[["split", "part", "copies_in", "posters", "leaked", "fraction"]].round({"fraction": 4})


def _copies(posters, others, partners):
    # A row for each poster and each other that is a copy of it: kind, label, imdb_id, imdb_id of the other.
    posters = posters.rename_axis("label").reset_index()
    by_movie = posters.dropna(subset="imdb_id").assign(other_id=lambda frame: frame["imdb_id"])
    by_movie = by_movie[by_movie["imdb_id"].isin(others["imdb_id"])]
    seen = posters[posters["pixel_hash"] != ""]
    others = others.rename(columns={"imdb_id": "other_id", "pixel_hash": "other_hash"})
    equal = seen.merge(others, left_on="pixel_hash", right_on="other_hash")
    similar = seen.merge(partners, left_on="pixel_hash", right_on="a").merge(others, left_on="b", right_on="other_hash")
    columns = ["label", "imdb_id", "other_id"]
    found = zip(_KINDS, (by_movie, equal, similar), strict=True)
    return pd.concat([frame[columns].assign(kind=kind) for kind, frame in found])


def _count(copies, num_posters, max_examples):
    leaked = copies["label"].nunique()
    examples = copies[["imdb_id", "other_id"]].dropna().drop_duplicates().head(max_examples)
    return {
        "posters": num_posters,
        **{kind: copies.loc[copies["kind"] == kind, "label"].nunique() for kind in _KINDS},
        "leaked": leaked,
        "fraction": leaked / num_posters,
        "examples": [[int(imdb_id) for imdb_id in pair] for pair in examples.to_numpy()],
    }


def _pixel_hashes(manifest):
    return manifest["pixel_hash"].where(manifest["verdict"] != "quarantined", "")


def _require_unique_index(manifest):
    if not manifest.index.is_unique:
        repeated = manifest.index[manifest.index.duplicated()].unique()
        raise ValueError(f"`manifest` must have a unique index. Received: {list(repeated[:5])} more than once")


def _part(hashes, band):
    first, bits = band
    return (hashes >> np.uint64(first)) & np.uint64(2**bits - 1)


def _sort_by_part(hashes, band):
    order = np.argsort(_part(hashes, band), kind="stable")
    return order, _part(hashes, band)[order]


def _equal_parts(hashes, part_index, band):
    # All (a, b) where that part of hashes[a] equals that of the b-th hash in the index.
    order, parts = part_index
    wanted = _part(hashes, band)
    first = np.searchsorted(parts, wanted, side="left")
    count = np.searchsorted(parts, wanted, side="right") - first
    a = np.repeat(np.arange(len(hashes)), count)
    within = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
    return a, order[np.repeat(first, count) + within]


_SIDE = 40  # samples along each side of the grey picture, so that one is 2.5% of it
_KEPT = 12  # frequencies kept along each side
_HASHED = 8  # frequencies along each side that are hashed, as in imagehash
# Samples cut off at the two ends of a side: nothing, 5% at one end, 5% at both, 2.5% at both.
_CUTS = [(0, 0), (2, 0), (0, 2), (2, 2), (1, 1)]


def _cosines(length, frequencies):
    angles = np.pi * np.outer(np.arange(frequencies), np.arange(length) + 0.5) / length
    return np.cos(angles)


_ANALYSIS = _cosines(_SIDE, _KEPT) * 2 / _SIDE
_ANALYSIS[0] /= 2
_SYNTHESIS = _cosines(_SIDE, _KEPT).T
# For each cut: kept frequencies of the whole side -> lowest frequencies of what the cut leaves.
_CUTTING = [
    _cosines(_SIDE - start - end, _HASHED) @ _SYNTHESIS[start : _SIDE - end] * 2 / (_SIDE - start - end)
    for start, end in _CUTS
]
_BIT_VALUES = np.uint64(1) << np.arange(_HASHED**2 - 1, -1, -1, dtype=np.uint64)


def signature(image):
    """The lowest 12 × 12 frequencies of a picture, in grey levels, as text (384 characters) for a csv."""
    grey = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), dtype=np.float64)
    return base64.b64encode((_ANALYSIS @ grey @ _ANALYSIS.T).astype("<f2").tobytes()).decode()


def frequencies(signatures):
    """Texts from `signature` as a float32 array (number of texts, 12, 12)."""
    content = b"".join(base64.b64decode(text) for text in signatures)
    return np.frombuffer(content, dtype="<f2").reshape(-1, _KEPT, _KEPT).astype(np.float32)


def cropped_versions(kept):
    """Yields the 8 × 8 lowest frequencies of each cropped version of the pictures, the whole one first.

    Args:
        kept: float32 (number of pictures, 12, 12) from `frequencies`.

    Yields:
        25 arrays, float32 (number of pictures, 64).
    """
    for vertical in _CUTTING:
        rows = vertical.astype(np.float32) @ kept
        for horizontal in _CUTTING:
            yield (rows @ horizontal.T.astype(np.float32)).reshape(len(kept), _HASHED**2)


def hash_bits(lowest):
    """Perceptual hashes as uint64, bit for bit in the order of `int(str(imagehash.phash(image)), 16)`.

    Args:
        lowest: Array (number of pictures, 64) from `cropped_versions`.
    """
    above = lowest > np.median(lowest, axis=1, keepdims=True)
    return (above * _BIT_VALUES).sum(axis=1, dtype=np.uint64)


def directions(lowest):
    """The pictures as unit vectors, brightness and contrast left out: their product says how similar two look.

    Args:
        lowest: Array (number of pictures, 64) from `cropped_versions`.

    Returns:
        float32 (number of pictures, 64); zeros for a picture that is all but flat, as it looks like nothing.
    """
    centered = lowest.copy()
    centered[:, 0] = 0
    length = np.linalg.norm(centered, axis=1, keepdims=True)
    return np.where(length < 2, 0, centered / np.maximum(length, 1e-6)).astype(np.float32)


def write_pairs(pairs, manifest, path):
    """Write near-duplicate pairs as a CSV in which posters are named by their movies' ids.

    Args:
        pairs: DataFrame from `similar_pairs`.
        manifest: Manifest that the pairs were found in.
        path: Path of the CSV.
    """
    named = {side: pairs[side].map(manifest["imdb_id"]) for side in ("first", "second")}
    with write_atomically(pathlib.Path(path)) as temporary:
        pairs.assign(**named).to_csv(temporary, index=False)


def certificate_of_csv(path, manifest, pairs):
    """Return the leak certificate of a split that is stored as a CSV.

    Args:
        path: CSV with the columns `imdb_id` and `part`, such as a run folder's `split.csv`.
        manifest: Manifest of the posters; see `verify.verify`.
        pairs: DataFrame from `similar_pairs`.

    Returns:
        `LeakCertificate`
    """
    parts = pd.read_csv(path).drop_duplicates("imdb_id").set_index("imdb_id")["part"]
    return leak_certificate(manifest["imdb_id"].map(parts).dropna(), manifest, pairs=pairs)
