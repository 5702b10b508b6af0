"""Trailers: file names, feature files, sampling frames from videos, and errors in each."""

import pickle
import sys

import h5py
import keras
import numpy as np
import pytest

from poster_cnn import models
from poster_cnn.movies.data_folder import find_data_folder
from poster_cnn.multimodal import trailers
from poster_cnn.multimodal.trailers import find_trailers, read_trailer_features, sample_frames, trailer_features


@pytest.fixture
def write_video():
    """Function that writes a video of uniform gray frames; frame n has gray level 4n."""
    av = pytest.importorskip("av")

    def write(path, num_frames, codec="mpeg4", options=None):
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=25, options=options or {})
            stream.height, stream.width, stream.pix_fmt, stream.bit_rate = 48, 64, "yuv420p", 2_000_000
            for number in range(num_frames):
                gray = np.full((48, 64, 3), 4 * number, dtype="uint8")
                container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="rgb24")))
            container.mux(stream.encode())
        return path

    return write


def frame_numbers(frames):
    return frames.mean(axis=(1, 2, 3)) / 4


@pytest.fixture
def extractor():
    """Replacement for VGG-16: the mean of each channel, and 1."""
    inputs = keras.Input((24, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    kernel = keras.initializers.Constant(np.eye(3, 4))
    outputs = keras.layers.Dense(4, kernel_initializer=kernel, bias_initializer="ones")(x)
    return keras.Model(inputs, outputs, name="tiny")


def array(num_frames=5, num_features=6, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 1, (num_frames, num_features)).astype("float32")


# --- names ---


def test_finds_trailers_by_id_and_reports_other_names(tmp_path):
    for name in ("12.mp4", "7.npz", "7.mkv", "tt0030.npy", "30.npy", "best.mov", "README.md", "5.MP4", ".9.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "8.npy").mkdir()
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["41"] = file["tt42"] = file["notes"] = array()
    found, report = find_trailers(tmp_path)
    names = {5: "5.MP4", 7: "7.npz", 12: "12.mp4", 30: "30.npy", 41: "all.h5/41", 42: "all.h5/tt42"}
    assert {imdb_id: str(path.relative_to(tmp_path)) for imdb_id, path in found.items()} == names
    assert list(found) == sorted(found)
    assert {what: (done, sorted(examples)) for what, _, done, examples in report.findings} == {
        "imdbId seen before": ("left out", ["7.mkv", "tt0030.npy"]),
        "imdbId is not a number": ("left out", ["all.h5/notes", "best.mov"]),
        "not a feature file or a video": ("left out", ["README.md"]),
        "imdbId with 'tt', zeros or decimals": ("mended", ["all.h5/tt42"]),
    }
    assert (report.rows_read, report.rows_kept) == (11, 6)


def test_reads_a_single_hdf5_file(data_folder, tmp_path):
    with h5py.File(tmp_path / "trailers.h5", "w") as file:
        file["1001"] = array()
    found, _ = find_trailers(tmp_path / "trailers.h5")
    np.testing.assert_array_equal(read_trailer_features(found[1001], num_frames=5), array())
    for name in ("MovieGenre.csv", "posters"):
        (tmp_path / name).symlink_to(data_folder / name)
    folder = find_data_folder(tmp_path)
    assert folder.trailers == tmp_path / "trailers.h5"
    assert folder.weights == {}


def test_rejects_missing_folder_and_broken_hdf5_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder of trailers or an HDF5 file"):
        find_trailers(tmp_path / "trailers")
    (tmp_path / "trailers.h5").write_text("no HDF5")
    with pytest.raises(ValueError, match=r"HDF5 file cannot be read.*trailers\.h5"):
        find_trailers(tmp_path)


# --- feature files ---


@pytest.mark.parametrize("dtype", ["float16", "float64", "int32"])
@pytest.mark.parametrize("kind", ["npy", "npz", "other name", "h5", "p"])
def test_reads_features_as_float32_padded_with_zeros(kind, dtype, tmp_path):
    values = (array() * 10).astype(dtype)
    path = tmp_path / ("1.npy" if kind == "npy" else "1.npz")
    if kind == "npy":
        np.save(path, values)
    elif kind == "p":  # from MovieScope
        path = tmp_path / "1.p"
        path.write_bytes(pickle.dumps(values[None], protocol=2))
    elif kind == "h5":
        path = tmp_path / "trailers.h5" / "1"
        with h5py.File(path.parent, "w") as file:
            file["1"] = values
    else:
        np.savez_compressed(path, **{"features" if kind == "npz" else "x": values})
    features = read_trailer_features(path)
    assert features.shape == (200, 6) and features.dtype == "float32"
    np.testing.assert_array_equal(features[:5], values.astype("float32"))
    assert not features[5:].any()


def test_samples_frames_of_a_longer_array_evenly(tmp_path):
    np.save(tmp_path / "1.npy", 1 + np.arange(1000.0)[:, None])
    features = read_trailer_features(tmp_path / "1.npy")[:, 0]
    np.testing.assert_array_equal(np.diff(features), np.full(199, 5))
    assert features[0] - 1 == 2 and 1000 - features[-1] == 2  # symmetric


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(6), r"shape \(frames, features\).*shape=\(6,\)"),
        (np.ones((1, 5, 6)), r"shape=\(1, 5, 6\)"),
        (np.ones((0, 6)), "cannot be read|shape="),
        (np.array([["a", "b"]]), "dtype=<U1"),
        (np.array([[1.0, np.nan]]), "must be finite"),
        (np.array([[1.0, 1e300]]), "must be finite in float32"),
        (np.zeros((5, 6)), "are all 0"),
        (np.array([[{}]], dtype=object), "cannot be read"),
    ],
)
def test_rejects_invalid_arrays(values, message, tmp_path):
    np.save(tmp_path / "77.npy", values)
    with pytest.raises(ValueError, match=f"(?s){message}.*77.npy"):
        read_trailer_features(tmp_path / "77.npy")


def test_rejects_broken_files(tmp_path):
    np.savez_compressed(tmp_path / "two.npz", a=array(), b=array())
    np.savez_compressed(tmp_path / "whole.npz", features=array(200, 50))
    np.save(tmp_path / "whole.npy", array(200, 50))
    with h5py.File(tmp_path / "trailers.h5", "w") as file:
        file.create_group("group")
    for suffix in ("npy", "npz"):
        content = (tmp_path / f"whole.{suffix}").read_bytes()
        (tmp_path / f"cut.{suffix}").write_bytes(content[: len(content) // 2])
        (tmp_path / f"text.{suffix}").write_text("no array")
        (tmp_path / f"empty.{suffix}").touch()
    (tmp_path / "1.csv").write_bytes((tmp_path / "whole.npy").read_bytes())
    names = "two.npz cut.npy cut.npz text.npy text.npz empty.npy empty.npz 1.csv trailers.h5/group trailers.h5/other"
    for name in names.split():
        with pytest.raises(ValueError, match=rf"cannot be read.*{name}"):
            read_trailer_features(tmp_path / name)
    with pytest.raises(ValueError, match="it holds no plain array"):
        read_trailer_features(tmp_path / "text.npz")
    with pytest.raises(FileNotFoundError, match=r"absent\.npy"):
        read_trailer_features(tmp_path / "absent.npy")


# --- videos ---


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("1.mp4", "mpeg4", {}),
        ("1.mov", "mpeg4", {"bf": "2"}),
        ("1.avi", "mpeg4", {"bf": "2"}),
        ("1.mkv", "mpeg4", {}),
        ("1.webm", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "10", "cpu-used": "5"}),
    ],
)
def test_samples_the_middle_frames_of_equal_parts(name, codec, options, tmp_path, write_video):
    path = write_video(tmp_path / name, 50, codec, options)
    frames = sample_frames(path, 10, (24, 32))
    assert frames.shape == (10, 24, 32, 3) and frames.dtype == "uint8"
    np.testing.assert_allclose(frame_numbers(frames), np.arange(2.5, 50, 5) - 0.5, atol=0.6)
    frames = sample_frames(path, 50, (24, 32))  # as many as there are
    np.testing.assert_allclose(frame_numbers(frames), np.arange(50), atol=0.6)


def test_decodes_twice_only_if_packets_are_not_frames(tmp_path, write_video, monkeypatch):
    path, decode, decoded = write_video(tmp_path / "1.mp4", 40), trailers._decode, []
    monkeypatch.setattr(trailers, "_decode", lambda *given: decoded.append(len(given[2])) or decode(*given))
    frames = sample_frames(path, 10, (24, 32))
    assert decoded == [10]
    monkeypatch.setattr(trailers, "_count_frames", lambda *_: 80)  # two packets per frame
    np.testing.assert_array_equal(sample_frames(path, 10, (24, 32)), frames)
    assert decoded == [10] * 3


def test_frames_are_rgb_and_height_comes_first(tmp_path):
    av = pytest.importorskip("av")
    picture = np.zeros((48, 64, 3), dtype="uint8")
    picture[:24] = 255, 0, 0
    with av.open(str(tmp_path / "1.avi"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = 48, 64, "bgr0"
        for _ in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    frame = sample_frames(tmp_path / "1.avi", 8, (20, 10))[0].astype("int64")
    assert np.abs(frame[:9] - [255, 0, 0]).max() < 5 and frame[11:].max() < 5


@pytest.mark.parametrize(
    ("name", "num_frames", "share", "options", "message"),
    [
        ("index is last.mp4", 40, 0.5, {}, "Invalid data"),
        ("cut.mkv", 60, 0.5, {}, r"it ends after \d\.\d of 2\.4 s"),
        ("one frame.mp4", 1, 1, {}, "must have at least 8 frames, and has 1"),
        ("seven.avi", 7, 1, {}, "has 7"),
    ],
)
def test_rejects_truncated_and_short_videos(name, num_frames, share, options, message, tmp_path, write_video):
    path = write_video(tmp_path / name, num_frames, options=options)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=rf"{message}.*{name}"):
        sample_frames(path)


def test_rejects_other_files_with_the_suffix_of_a_video(tmp_path, write_video):
    write_video(tmp_path / "real.mp4", 10)
    contents = {
        "empty": "",
        "text": "not a video\n" * 99,
        "playlist": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{tmp_path / 'real.mp4'}\n#EXT-X-ENDLIST\n",
        "list": "ffconcat version 1.0\nfile real.mp4\n",
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.mp4").write_text(content)
        with pytest.raises(ValueError, match=rf"The video cannot be used: .*{name}\.mp4"):
            sample_frames(tmp_path / f"{name}.mp4")
    with pytest.raises(FileNotFoundError, match="absent"):
        sample_frames(tmp_path / "absent.mp4")


def test_without_pyav_only_features_can_be_read(tmp_path, monkeypatch, extractor):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError, match=r"pip install -e '.\[trailers\]'"):
        sample_frames(tmp_path / "1.mp4")
    with pytest.raises(ImportError, match=r"pip install -e '.\[trailers\]'"):
        trailer_features({1: tmp_path / "1.mp4"}, extractor, cache=tmp_path, progress=False)
    np.save(tmp_path / "1.npy", array())
    assert list(trailer_features({1: tmp_path / "1.npy"}, progress=False)[0]) == [1]


# --- features of all trailers ---


def test_combines_videos_and_feature_files_and_reports_unusable_trailers(tmp_path, write_video, extractor):
    write_video(tmp_path / "1.mp4", 12)
    write_video(tmp_path / "2.mkv", 60)
    (tmp_path / "3.mp4").write_text("not a video")
    np.save(tmp_path / "4.npy", array(30, 4))
    np.save(tmp_path / "5.npy", array(30, 7))
    np.save(tmp_path / "6.npy", np.full((3, 4), np.nan))
    found, _ = find_trailers(tmp_path)
    means, report = trailer_features(found, extractor, num_frames=20, cache=tmp_path / "cache", progress=False)
    assert list(means) == [1, 2, 4] and means[1].shape == (4,) and means[1].dtype == "float32"
    np.testing.assert_allclose(means[1][0] - 1, 4 * np.arange(12).mean(), atol=3)
    np.testing.assert_allclose(means[2], [*[1 + 4 * np.arange(1, 60, 3).mean()] * 3, 1], atol=3)
    expected = read_trailer_features(tmp_path / "4.npy", num_frames=20).mean(axis=0)
    np.testing.assert_array_equal(means[4], expected)
    (stored,) = [np.load(path) for path in (tmp_path / "cache").rglob("*.npy") if len(np.load(path)) == 12]
    np.testing.assert_allclose(stored[:, 0] - 1, 4 * np.arange(12), atol=3)
    assert report["imdb_id"].tolist() == [1, 2, 3, 4, 5, 6]
    assert report["kind"].tolist() == ["video"] * 3 + ["features"] * 3
    assert report["frames"].tolist() == [12, 20, 0, 20, 0, 0]
    reasons = dict(zip(report["imdb_id"], report["reason"], strict=True))
    assert "3.mp4" in reasons[3] and "finite" in reasons[6]
    assert reasons[5] == "Expected 4 features per frame. Received: 7"
    assert [reasons[imdb_id] for imdb_id in means] == ["", "", ""]


def test_means_equal_the_first_layer_of_the_trailer_branch(tmp_path):
    for imdb_id, values in ((1, array(5)), (2, array(12, seed=1)), (3, array(12, 7))):
        np.save(tmp_path / f"{imdb_id}.npy", values)
    found, _ = find_trailers(tmp_path)
    means, report = trailer_features(found, num_frames=8, progress=False)
    assert report["reason"].tolist() == ["", "", "Expected 6 features per frame. Received: 7"]
    averaging, _ = models.feature_extractor_and_head(models.trailer_branch((8, 6)))
    frames = np.stack([read_trailer_features(found[imdb_id], num_frames=8) for imdb_id in (1, 2)])
    np.testing.assert_allclose(np.stack([means[1], means[2]]), averaging.predict(frames, verbose=0), rtol=1e-6)
    np.testing.assert_allclose(means[1], array(5).mean(axis=0), rtol=1e-6)


@pytest.fixture
def decoded(monkeypatch):
    """Paths of the videos decoded so far."""
    paths = []
    monkeypatch.setattr(trailers, "sample_frames", lambda *given: paths.append(given[0]) or sample_frames(*given))
    return paths


def test_caches_videos_by_content(tmp_path, write_video, extractor, decoded):
    first, second = write_video(tmp_path / "1.mp4", 12), tmp_path / "8.mp4"
    options = {"num_frames": 9, "cache": tmp_path / "cache", "progress": False}
    before, _ = trailer_features({1: first}, extractor, **options)
    first.rename(second)
    after, _ = trailer_features({8: second}, extractor, **options)
    np.testing.assert_array_equal(before[1], after[8])
    assert decoded == [first]
    write_video(second, 13)  # other content
    trailer_features({8: second}, extractor, **options)
    extractor.layers[-1].bias.assign_add([1.0, 1, 1, 1])  # other weights
    trailer_features({8: second}, extractor, **options)
    trailer_features({8: second}, extractor, **options | {"num_frames": 8})
    assert decoded == [first, *[second] * 3]


def test_interrupted_call_keeps_finished_videos(tmp_path, write_video, extractor, monkeypatch):
    paths = {number: write_video(tmp_path / f"{number}.mp4", 10 + number) for number in (1, 2, 3)}
    options, decoded = {"num_frames": 9, "cache": tmp_path / "cache", "progress": False}, []

    def interrupted(path, *arguments):
        decoded.append(path)
        if decoded.count(paths[3]) == 1:
            raise KeyboardInterrupt
        return sample_frames(path, *arguments)

    monkeypatch.setattr(trailers, "sample_frames", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trailer_features(paths, extractor, **options)
    means, _ = trailer_features(paths, extractor, **options)
    assert decoded == [*paths.values(), paths[3]] and list(means) == [1, 2, 3]


@pytest.mark.parametrize("shape", [None, (None, None, 3), (24, 32, 1)])
def test_rejects_missing_or_unsuitable_extractor(shape, tmp_path, write_video):
    write_video(tmp_path / "1.mp4", 8)
    inputs = shape and keras.Input(shape)
    extractor = shape and keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ValueError, match=r"`extractor` must be a Keras model.*vgg16"):
        trailer_features({1: tmp_path / "1.mp4"}, extractor, cache=tmp_path, progress=False)
