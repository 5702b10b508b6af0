import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from PIL import Image

from poster_cnn import datasets
from poster_cnn.datasets import pipeline
from poster_cnn.datasets.crops import shrunk_size
from poster_cnn.datasets.poster_cache import DecodedPosters
from poster_cnn.datasets.verify import check_posters
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.movies.genres import encode_genres
from poster_cnn.movies.table import load_movie_table
from poster_cnn.training.data import load_training_data

NAMES = ("Horror", "Romance", "Action", "Documentary")


@pytest.fixture
def table(data_folder):
    return load_movie_table(data_folder / "MovieGenre.csv", posters_dir=data_folder / "posters")


@pytest.fixture
def own_folder(data_folder, tmp_path):
    """A copy of the data folder that a test may modify."""
    return shutil.copytree(data_folder, tmp_path / "data")


def pixels(path, size=None, resampling=Image.Resampling.BILINEAR):
    """A poster read and resized by Pillow, int64 `(height, width, 3)`."""
    with Image.open(path) as image:
        image = image.convert("RGB")
        return np.asarray(image.resize((size[1], size[0]), resampling) if size else image).astype("int64")


def collected(dataset):
    """All images and labels of a batched dataset."""
    images, labels = zip(*dataset.as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(labels)


# --- sizes and pixels ---


@pytest.mark.parametrize(
    ("ratio", "size"),
    [(30, (80, 55)), (40, (107, 73)), (50, (134, 91)), (60, (161, 109)), (70, (188, 127)), (100, (268, 182))],
)
def test_shrunk_size_equals_table_1_of_paper_1(ratio, size):
    assert shrunk_size(ratio) == size


@pytest.mark.parametrize("ratio", [0, -30, 101])
def test_shrunk_size_rejects_other_ratios(ratio):
    with pytest.raises(ValueError, match=f"Received: ratio={ratio}"):
        shrunk_size(ratio)


def test_batches_are_floats_from_0_to_255_in_table_order(table):
    dataset = datasets.poster_dataset(table, NAMES, image_size=(80, 55), batch_size=16)
    images, labels = next(iter(dataset))
    assert (images.dtype, images.shape, labels.dtype, labels.shape) == ("float32", (16, 80, 55, 3), "float32", (16, 4))
    images, labels = collected(dataset)
    assert len(images) == len(table) == 60  # with the last, smaller batch
    assert labels.tolist() == encode_genres(table, NAMES).tolist()
    assert images.min() >= 0 and images.max() <= 255 and images.max() > 200
    assert (images == images.round()).all()


def test_full_size_posters_are_bit_identical_to_pillow(table):
    images, _ = collected(datasets.poster_dataset(table, NAMES, image_size=(268, 182)))
    for image, path in zip(images, table["poster_path"], strict=True):
        assert (image == pixels(path)).all()


@pytest.mark.parametrize("ratio", [30, 70])
def test_shrunk_posters_differ_from_pillow_by_one_level_at_most(table, ratio):
    size = shrunk_size(ratio)
    images, _ = collected(datasets.poster_dataset(table[:12], NAMES, image_size=size))
    for image, path in zip(images, table["poster_path"][:12], strict=True):
        assert abs(image - pixels(path, size)).max() <= 1


def test_antialias_changes_the_pixels(table):
    (image,), _ = collected(datasets.poster_dataset(table[:1], NAMES, image_size=(80, 55), antialias=False))
    assert abs(image - pixels(table["poster_path"][0], (80, 55))).max() > 10


def test_lanczos3_is_lanczos_of_pillow(table):
    (image,), _ = collected(datasets.poster_dataset(table[:1], NAMES, image_size=(80, 55), interpolation="lanczos3"))
    assert abs(image - pixels(table["poster_path"][0], (80, 55), Image.Resampling.LANCZOS)).max() <= 2
    assert abs(image - pixels(table["poster_path"][0], (80, 55))).max() > 2


@pytest.mark.parametrize("interpolation", ["area", "bicubic", "bilinear", "lanczos3", "lanczos5", "nearest"])
@pytest.mark.parametrize("size", [(40, 91), (300, 20), (268, 182)])
def test_interpolations_are_bit_identical_to_tensorflow(table, interpolation, size):
    ((image, _),) = datasets.decoded_posters(
        table[:1], NAMES, image_size=size, interpolation=interpolation, cache=False
    ).as_numpy_iterator()
    expected = tf.image.resize(pixels(table["poster_path"][0]), size, method=interpolation, antialias=True)
    assert (image == np.clip(np.round(expected), 0, 255)).all()


def test_rejects_unknown_interpolations(table):
    with pytest.raises(ValueError, match="`interpolation` must be one of .*Received: interpolation='lancsoz'"):
        datasets.poster_dataset(table, NAMES, image_size=(80, 55), interpolation="lancsoz")


# --- order ---


@pytest.fixture
def numbers():
    """Twenty one-pixel images of their own number, as decoded posters."""
    images = np.arange(20, dtype="uint8").reshape(20, 1, 1, 1)
    return DecodedPosters(images, np.arange(20), np.arange(20, dtype="float32")[:, None])


def order(dataset):
    images, labels = collected(dataset)
    assert images.ravel().tolist() == labels.ravel().tolist()  # images keep their labels
    return labels.ravel().astype(int).tolist()


def test_order_depends_on_seed_and_epoch(numbers):
    def epoch(seed, number):
        return order(datasets.epoch_batches(numbers, 20, 8, seed, number))

    assert sorted(epoch(0, 0)) == list(range(20))
    assert epoch(3, 5) == epoch(3, 5)
    orders = [tuple(epoch(seed, number)) for seed in range(3) for number in range(3)]
    assert len(set(orders)) == 9


def test_order_equals_that_of_shuffled_images(numbers):
    themselves = tf.data.Dataset.from_tensor_slices((numbers.images, numbers.labels)).cache()
    for seed in range(3):
        tf.random.set_seed(seed)
        for epoch in range(3):
            assert order(datasets.epoch_batches(numbers, 20, 8, seed, epoch)) == order(
                datasets.epoch_batches(themselves, 20, 8, seed, epoch)
            )


@pytest.mark.parametrize("cache", [True, False])
def test_shuffled_posters_keep_their_genres_with_and_without_cache(table, cache):
    options = {"image_size": (8, 8), "shuffle": True, "seed": 3}
    tf.random.set_seed(1)
    shuffled = collected(datasets.poster_dataset(table, NAMES, cache=cache, **options))
    images, labels = collected(datasets.poster_dataset(table, NAMES, image_size=(8, 8)))
    decoded = tf.data.Dataset.from_tensor_slices((images, labels)).shuffle(60, seed=3)
    expected = collected(decoded.batch(32))
    assert (shuffled[0] == expected[0]).all() and (shuffled[1] == expected[1]).all()
    assert (shuffled[1] != labels).any()


def test_each_epoch_has_another_order_that_the_seed_repeats(table):
    def two_epochs(seed):
        dataset = datasets.poster_dataset(table, ["Horror", "Drama"], image_size=(8, 8), shuffle=True, seed=seed)
        return [collected(dataset)[0].sum(axis=(1, 2, 3)).tolist() for _ in range(2)]

    first, second = two_epochs(seed=1)
    assert first != second and sorted(first) == sorted(second)
    assert [first, second] == two_epochs(seed=1)
    assert [first, second] != two_epochs(seed=2)


# --- decoding and verification ---


def test_cached_posters_are_decoded_once(table, own_folder):
    table = load_movie_table(own_folder / "MovieGenre.csv", posters_dir=own_folder / "posters")
    cached = datasets.poster_dataset(table, NAMES, image_size=(80, 55))
    uncached = datasets.poster_dataset(table, NAMES, image_size=(80, 55), cache=False)
    before = collected(cached)[0]
    shutil.rmtree(own_folder / "posters")
    assert (collected(cached)[0] == before).all()
    with pytest.raises(tf.errors.NotFoundError):
        collected(uncached)


@pytest.mark.parametrize("spoil", ["truncated", "web page", "WebP"])
def test_names_broken_posters_before_training(own_folder, spoil):
    table = load_movie_table(own_folder / "MovieGenre.csv", posters_dir=own_folder / "posters")
    path = own_folder / "posters" / "1007.jpg"
    if spoil == "truncated":
        path.write_bytes(path.read_bytes()[:-3000])
    elif spoil == "web page":
        path.write_text("<html>404</html>")
    else:
        Image.open(path).save(path, format="WebP")
    with pytest.raises(ValueError, match="(?s)cannot be read as they are.*check_posters.*1007.jpg"):
        datasets.poster_dataset(table, NAMES, image_size=(80, 55))
    table, _ = check_posters(table)
    images, _ = collected(datasets.poster_dataset(table, NAMES, image_size=(80, 55)))
    assert len(images) == (60 if spoil == "WebP" else 59)


def test_posters_of_a_manifest_are_not_verified_again(own_folder, monkeypatch):
    table = load_movie_table(own_folder / "MovieGenre.csv", posters_dir=own_folder / "posters")
    path = own_folder / "posters" / "1007.jpg"
    Image.open(path).save(path, format="WebP")
    table, report = check_posters(table)
    options, keys = {"image_size": (20, 15)}, []
    monkeypatch.setattr(pipeline, "decode_once", lambda posters, shape, key: keys.append(key))
    datasets.decoded_posters(table, NAMES, **options)
    monkeypatch.setattr(pipeline, "check_posters", None)
    datasets.decoded_posters(table, NAMES, manifest=report, **options)
    assert keys[0] == keys[1]  # the hash of the repaired file
    images = datasets.decoded_posters(table, NAMES, manifest=report, cache=False, **options)
    assert len(list(images)) == 60


def test_names_movies_without_a_poster(data_folder):
    table = load_movie_table(data_folder / "MovieGenre.csv")
    with pytest.raises(ValueError, match="60 movies have no poster file, such as .*Movie 0 .*`posters_dir`"):
        datasets.poster_dataset(table, NAMES, image_size=(80, 55))


# --- data folders ---


def test_find_data_folder_finds_all_files(tmp_path):
    for name in ("posters", "everyday", "trailers"):
        (tmp_path / name).mkdir()
    for name in ("MovieGenre.csv", "movie_metadata.csv", "glove.6B.50d.txt", "net.weights.h5"):
        (tmp_path / name).touch()
    folder = find_data_folder(tmp_path)
    found = (folder.csv, folder.posters, folder.metadata, folder.glove, folder.trailers, folder.everyday)
    expected = "MovieGenre.csv posters movie_metadata.csv glove.6B.50d.txt trailers everyday"
    assert [path.name for path in found] == expected.split()
    assert folder.weights == {"net.weights.h5": tmp_path / "net.weights.h5"}


def test_find_data_folder_accepts_the_folder_name_of_kaggle(tmp_path):
    (tmp_path / "SampleMoviePosters").mkdir()
    (tmp_path / "MovieGenre.csv").touch()
    folder = find_data_folder(tmp_path)
    assert folder.posters.name == "SampleMoviePosters"
    assert (folder.metadata, folder.glove, folder.trailers, folder.everyday, folder.weights) == (None,) * 4 + ({},)


@pytest.mark.parametrize(
    ("content", "looked_for"),
    [
        (None, "Looked for the folder"),
        ([], "Looked for MovieGenre.csv"),
        (["MovieGenre.csv"], "Looked for the folders posters/ and SampleMoviePosters/"),
    ],
)
def test_find_data_folder_rejects_incomplete_folders(tmp_path, content, looked_for):
    root = tmp_path / "data"
    if content is not None:
        root.mkdir()
        for name in content:
            (root / name).touch()
    with pytest.raises(FileNotFoundError, match=looked_for):
        find_data_folder(root)


# --- the data of a run ---


def test_training_data_drops_and_reports_broken_posters(own_folder, tiny_config):
    (own_folder / "posters" / "1007.jpg").write_text("<html>404</html>")
    data = load_training_data(tiny_config.data, own_folder)
    assert len(data.table) == 59 and 1007 not in set(data.table["imdb_id"])
    assert "1007.jpg" in data.report and "rows read" in data.report
    assert data.images("test").shape == (data.count("test"), 27, 18, 3)
    assert data.images("test").dtype == "uint8"


def test_fingerprint_depends_on_the_data_only(own_folder, tiny_config):
    def fingerprint(config=tiny_config):
        return load_training_data(config.data, own_folder).fingerprint

    before = fingerprint()
    assert fingerprint(tiny_config.replace(learning_rate=1e-5, ratio=40, seed=3)) == before
    assert fingerprint(tiny_config.replace(split="leak_free")) != before
    path = own_folder / "posters" / "1007.jpg"
    Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    assert fingerprint() != before


def test_baseline_predictions(data_folder, tiny_config):
    data = load_training_data(tiny_config.data, data_folder)
    predictions = data.baseline_predictions()
    assert list(predictions) == ["majority", "label_prior", "color_histogram"]
    assert {name: array.shape for name, array in predictions.items()} == dict.fromkeys(
        predictions, (data.count("test"), 4)
    )
    assert np.allclose(predictions["label_prior"][0], data.labels("train").mean(axis=0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"class_names": ("Horror", "Western")}, "No movie with a poster has the genre.*Western"),
        ({"class_names": ("Horror", "Telenovela")}, "must be some of: .*unknown genre.*: Telenovela"),
        ({"min_year": 2050}, "(?s)No movie is left.*year before 2050 +60"),
    ],
)
def test_rejects_configs_without_movies(data_folder, tiny_config, changes, message):
    with pytest.raises(ValueError, match=message):
        load_training_data(tiny_config.replace(**changes).data, data_folder)


def test_rejects_leaks_unless_allowed(own_folder, tiny_config):
    # 1001 is a multiple of 7 and thus a test movie; 1002 and 1003 are training movies.
    for copy in ("1002.jpg", "1003.jpg"):
        shutil.copy(own_folder / "posters" / "1001.jpg", own_folder / "posters" / copy)
    with pytest.raises(
        ValueError, match="(?s)The split leaks. Choose split='leak_free', or.*allow_leak=True.*copy in another part"
    ):
        load_training_data(tiny_config.replace(allow_leak=False).data, own_folder)
    leaky = load_training_data(tiny_config.data, own_folder)
    test_in_train = leaky.certificate.rows[0]
    assert (test_in_train["part"], test_in_train["copies_in"]) == ("test", "train")
    assert test_in_train["same_pixels"] == 1 and not leaky.certificate.clean

    corrected = load_training_data(tiny_config.replace(split="leak_free", allow_leak=False).data, own_folder)
    assert corrected.certificate.clean
    assert corrected.split[corrected.table["imdb_id"].isin([1001, 1002, 1003])].nunique() == 1


def test_rejects_too_few_posters(own_folder, tiny_config):
    for path in sorted((own_folder / "posters").iterdir())[5:]:
        path.unlink()
    with pytest.raises(ValueError, match="Too few movies for the split: validation would be empty. Received: 5"):
        load_training_data(tiny_config.data, own_folder)


def test_parts_keep_the_table_order(data_folder, tiny_config):
    data = load_training_data(tiny_config.data, data_folder)
    parts = [data.part(part)["imdb_id"] for part in ("train", "validation", "test")]
    assert sorted(pd.concat(parts)) == list(range(1001, 1061))
    assert all((data.labels(part) == encode_genres(data.part(part), NAMES)).all() for part in ("train", "test"))
