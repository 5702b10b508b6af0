"""Find duplicate posters, group them for splits, and certify that a split does not leak."""

import dataclasses
import os

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from poster_cnn.datasets.signatures import cropped_versions, directions, frequencies, hash_bits
from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.movies import splits
from poster_cnn.movies.genres import encode_genres

# Measured on 10,349 posters and 11 kinds of copies of 600 of them (quality 40, half the size, up to 5% cropped from
# each side, and all together): at least 99.6% of each kind are found, and different posters reach at most 0.86. If
# hashes may differ in 10 bits instead of 8, different posters reach 0.94.
_MIN_SIMILARITY = 0.9
_MAX_DISTANCE = 8  # bits of 64 in which the hashes of copies may differ
_BANDS = [(0, 11), (11, 11), (22, 11), (33, 11), (44, 10), (54, 10)]  # (first bit, bits) of each part of a hash
_MANIFEST = arguments.table("pixel_hash", "perceptual_hash", "signature")
_PAIRS = arguments.optional(arguments.table("first", "second"))
_KINDS = ("same_movie", "same_pixels", "similar")


@arguments.checked(manifest=_MANIFEST)
def similar_pairs(manifest):
    """Find near-duplicates: the same picture recompressed, resized or slightly cropped.

    The perceptual hash of each poster is compared with those of 25 cropped versions of the other posters if one of six
    parts of the hashes is equal, which makes the search much faster than comparing all pairs. The similarity of the
    remaining pairs is computed from their lowest frequencies. Color is ignored, and flat pictures have no
    near-duplicates.

    Args:
        manifest: DataFrame from `verify.verify`, or the report of `verify.check_posters`.

    Returns:
        DataFrame, one row per pair of different pictures: `first`, `second` (index labels of the first poster with each
        picture) and `similarity` (float, at least 0.9), most similar first.
    """
    pictures = manifest[_pixel_hashes(manifest) != ""].drop_duplicates("pixel_hash")
    hashes = np.array([int(text, 16) for text in pictures["perceptual_hash"]], dtype=np.uint64)
    found, whole = [], None
    for lowest in cropped_versions(frequencies(pictures["signature"])):
        cropped, cropped_hashes = directions(lowest), hash_bits(lowest)
        whole = cropped if whole is None else whole
        for band in _BANDS:
            a, b = _equal_parts(cropped_hashes, hashes, band)
            close = (np.bitwise_count(cropped_hashes[a] ^ hashes[b]) <= _MAX_DISTANCE) & (a != b)
            a, b = a[close], b[close]
            found.append((np.minimum(a, b), np.maximum(a, b), np.einsum("ij,ij->i", cropped[a], whole[b])))
    first, second, similarity = map(np.concatenate, zip(*found, strict=True))
    pairs = pd.DataFrame({"first": first, "second": second, "similarity": similarity.astype("float64")})
    pairs = pairs[similarity >= _MIN_SIMILARITY].groupby(["first", "second"], as_index=False).max()
    pairs = pairs.sort_values(["similarity", "first", "second"], ascending=[False, True, True], ignore_index=True)
    labels = pictures.index.to_numpy()
    return pairs.assign(first=labels[pairs["first"]], second=labels[pairs["second"]])


def _equal_parts(hashes, others, band):
    """Return the positions (a, b) of all pairs of hashes with the same part."""
    first, bits = band
    wanted, parts = ((values >> np.uint64(first)) & np.uint64(2**bits - 1) for values in (hashes, others))
    order = np.argsort(parts, kind="stable")
    begin = np.searchsorted(parts[order], wanted, side="left")
    count = np.searchsorted(parts[order], wanted, side="right") - begin
    a = np.repeat(np.arange(len(hashes)), count)
    within = np.arange(len(a)) - np.repeat(np.cumsum(count) - count, count)
    return a, order[np.repeat(begin, count) + within]


@arguments.checked(manifest=_MANIFEST, pairs=_PAIRS)
def duplicate_groups(manifest, *, pairs=None):
    """Group posters of the same movie, equal posters and near-duplicates, for splits that keep groups together.

    Args:
        manifest: DataFrame from `verify.verify`, or the report of `verify.check_posters`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: computed here.

    Returns:
        int64 Series over the manifest's index: the smallest imdb_id of the group. Files without an id get negative
        numbers.

    Example:

    >>> table, report = check_posters(table)
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


def copies_of(known, manifest, *, pairs=None):
    """Return which posters show the same picture as a known one, or a near-duplicate of it.

    Args:
        known: bool Series over the manifest's index: the posters whose copies are looked for.
        manifest: DataFrame from `verify.verify`, or the report of `verify.check_posters`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: computed here.

    Returns:
        bool Series over the manifest's index, `False` for the known posters themselves.
    """
    posters, partners = _posters_and_partners(manifest, pairs)
    copies = _copies(posters[~known], posters[known], partners)
    found = copies.loc[copies["kind"] != "same_movie", "label"]
    return pd.Series(manifest.index.isin(found), index=manifest.index)


@arguments.checked(manifest=_MANIFEST, pairs=_PAIRS)
def describe_duplicates(manifest, *, pairs=None):
    """Format the counts of equal posters and the first ten near-duplicates as a few lines of text.

    Args:
        manifest: DataFrame from `verify.verify`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: computed here.
    """
    pairs = similar_pairs(manifest) if pairs is None else pairs
    usable = manifest[manifest["verdict"] != "quarantined"]
    lines = [f"{len(usable):,} usable posters"]
    for what, column in (("the same bytes", "sha256"), ("the same pixels", "pixel_hash")):
        sizes = usable[column].value_counts()
        lines.append(f"{(sizes > 1).sum():>6,} groups with {what}, {sizes[sizes > 1].sum():,} posters in them")
    lines.append(f"{len(pairs):>6,} further pairs that look the same")
    shown = pairs.head(10)
    names = [_names(manifest.loc[shown[side]]) for side in ("first", "second")]
    folder = os.path.commonpath([os.path.dirname(name) for side in names for name in side]) if len(shown) else ""
    for first, second, similarity in zip(*names, shown["similarity"], strict=True):
        first, second = (os.path.relpath(name, folder) if folder else name for name in (first, second))
        lines.append(f"        {first}  {second}  similarity {similarity:.3f}")
    return "\n".join(lines)


@dataclasses.dataclass(frozen=True)
class LeakCertificate:
    """Number of posters of each part of a split that have a copy in another part; `str` formats it as a table.

    Attributes:
        rows: List of dicts, one per pair of parts: `part`, `copies_in`, `posters`, `same_movie`, `same_pixels`,
            `similar`, `leaked` (any of the three), `fraction` (of the part's posters), `examples` (pairs of imdb_id).
    """

    rows: list

    @property
    def clean(self):
        """True if no test or validation poster has a copy in train, and no test poster in validation."""
        return not any(row["leaked"] for row in self.rows)

    def to_dict(self):
        """Return the certificate as a dict for JSON."""
        return {"clean": self.clean, "leaks": self.rows}

    def __str__(self):
        if not self.rows:
            return "Leak certificate: no two parts to compare"
        frame = pd.DataFrame(self.rows).drop(columns="examples")
        frame["fraction"] = [f"{fraction:.1%}" for fraction in frame["fraction"]]
        frame.columns = [name.replace("_", " ") for name in frame.columns]
        outcome = "no poster has a copy in another part" if self.clean else "some posters have a copy in another part"
        return f"Leak certificate: {outcome}\n{frame.to_string(index=False)}"


@arguments.checked(split=arguments.series, manifest=_MANIFEST, pairs=_PAIRS)
def leak_certificate(split, manifest, *, pairs=None):
    """Count the posters of a split that have a copy in another part.

    A copy is another poster of the same movie, a poster with the same pixels, or a near-duplicate.

    Args:
        split: Series of "train", "validation" and "test"; other values, such as "unused", are ignored.
        manifest: Report of `verify.check_posters`, or DataFrame from `verify.verify`, with the labels of `split`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: computed here.

    Returns:
        `LeakCertificate` of test against train, validation against train, and test against validation.

    Raises:
        ValueError: If posters of the split are not in the manifest.

    Example:

    >>> table, report = check_posters(table)
    >>> print(leak_certificate(split, report))
    """
    posters, partners = _posters_and_partners(manifest, pairs)
    missing = split.index.difference(manifest.index)
    if len(missing):
        raise ValueError(f"`manifest` must have every poster of `split`. Received: without {list(missing[:5])}")
    posters, rows = posters.loc[split.index], []
    for part, other in (("test", "train"), ("validation", "train"), ("test", "validation")):
        if (split == part).any() and (split == other).any():
            copies = _copies(posters[split == part], posters[split == other], partners)
            rows.append({"part": part, "copies_in": other} | _count(copies, int((split == part).sum())))
    return LeakCertificate(rows)


@arguments.checked(
    table=arguments.table("imdb_id", "genres"),
    class_names=arguments.genres,
    manifest=_MANIFEST,
    pairs=_PAIRS,
    seed=arguments.seed,
)
def compare_splits(table, class_names, manifest, *, pairs=None, seed=0):
    """Compare the leaks of a random split, the split of paper 1 by imdbId, and a leak-free split.

    Args:
        table: Movie table of `verify.check_posters`.
        class_names: Genres; movies with none of them are left out.
        manifest: Report of the same `verify.check_posters`.
        pairs: DataFrame from `similar_pairs`. Defaults to `None`: computed here.
        seed: Seed of the random splits. Defaults to 0.

    Returns:
        DataFrame, one row per split and pair of parts: `split` ("random", "imdb_id", "leak_free"), `part`, `copies_in`,
        `posters`, `leaked`, `fraction`.
    """
    pairs = similar_pairs(manifest) if pairs is None else pairs
    wanted = encode_genres(table, class_names).any(axis=1)
    table = table[wanted & table["year"].notna()]
    random = np.random.default_rng(seed).choice(splits.PARTS, len(table), p=(0.7, 0.1, 0.2))
    groups = duplicate_groups(manifest, pairs=pairs).loc[table.index]
    compared = {
        "random": pd.Series(random, index=table.index),
        "imdb_id": splits.imdb_id_split(table),
        "leak_free": splits.leak_free(table, class_names, groups=groups, seed=seed),
    }
    rows = [
        {"split": name} | row
        for name, split in compared.items()
        for row in leak_certificate(split, manifest, pairs=pairs).rows
    ]
    return pd.DataFrame(rows)[["split", "part", "copies_in", "posters", "leaked", "fraction"]].round({"fraction": 4})


def _posters_and_partners(manifest, pairs):
    """Return the `imdb_id` and `pixel_hash` of each poster, and the hashes `a` and `b` of near-duplicates both ways."""
    _require_unique_index(manifest)
    pairs = similar_pairs(manifest) if pairs is None else pairs
    hashes = _pixel_hashes(manifest)
    posters = pd.DataFrame({"imdb_id": manifest["imdb_id"].astype("Int64"), "pixel_hash": hashes})
    both = pd.DataFrame({"a": hashes.loc[pairs["first"]].to_numpy(), "b": hashes.loc[pairs["second"]].to_numpy()})
    return posters, pd.concat([both, both.rename(columns={"a": "b", "b": "a"})])


def _copies(posters, others, partners):
    """Return one row per poster and copy of it: `label`, `imdb_id`, `other_id`, `kind`."""
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


def _count(copies, num_posters):
    leaked = copies["label"].nunique()
    examples = copies[["imdb_id", "other_id"]].dropna().drop_duplicates().head(20)
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


def _names(manifest):
    """Return the path of each poster, or its name if all are in one folder."""
    return manifest["poster_path"] if "poster_path" in manifest else manifest["file"]


def write_pairs(pairs, manifest, path):
    """Write the pairs of `similar_pairs(manifest)` as a CSV with the imdb_id and the file of each poster."""
    sides = {side: manifest.loc[pairs[side]] for side in ("first", "second")}
    named = {side: posters["imdb_id"].to_numpy() for side, posters in sides.items()}
    named |= {f"{side}_file": _names(posters).to_numpy() for side, posters in sides.items()}
    with write_atomically(path) as temporary:
        pairs.assign(**named).to_csv(temporary, index=False, errors="backslashreplace")


def certificate_of_split(split, manifest, pairs):
    """Return the `LeakCertificate` of a split from `splits.read_split`."""
    posters = manifest.rename_axis("label").reset_index().merge(split, on="imdb_id", how="left")
    if not posters["part"].notna().any():
        raise ValueError("`split` must have imdbIds of the posters. Received: none of them")
    row_of = pd.Series(posters.index, index=posters["label"]).groupby(level=0).first()
    pairs = pairs.assign(**{side: pairs[side].map(row_of) for side in ("first", "second")})
    return leak_certificate(posters["part"].dropna(), posters, pairs=pairs)
