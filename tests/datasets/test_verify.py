import errno
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
import pandas as pd
import poster_zoo
import pytest
from PIL import Image, ImageFile
from poster_zoo import draw_poster, encode, rotated

from poster_cnn.cli import main
from poster_cnn.datasets import inspection
from poster_cnn.datasets import verify as ingest
from poster_cnn.datasets.image_files import PictureLimits, RefusedPicture, read_rgb
from poster_cnn.datasets.verify import cache_folder, check_posters, describe, verify, verify_data


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSTER_CNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo") / "posters"
    expected = poster_zoo.build(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSTER_CNN_CACHE", str(folder.parent / "cache"))
        contents = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        manifest = verify(folder, progress=False)
        unchanged = contents == {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return folder, expected, manifest.set_index("file"), unchanged


@pytest.fixture
def posters(tmp_path):
    folder = tmp_path / "posters"
    folder.mkdir()
    for number in range(1, 9):
        (folder / f"{number}.jpg").write_bytes(encode(draw_poster(number)))
    return folder


@pytest.fixture
def decoded(monkeypatch):
    """List with one item per decoded picture."""
    calls, decode = [], inspection.image_files.decode
    monkeypatch.setattr(inspection.image_files, "decode", lambda image: calls.append(1) or decode(image))
    return calls


def table_of(folder, names):
    paths = [str(folder / name) if name else "" for name in names]
    return pd.DataFrame({"imdb_id": range(1, len(names) + 1), "poster_path": paths}, index=range(100, 100 + len(names)))


# --- the zoo ---


def test_verdicts_of_all_kinds_of_files(zoo):
    _, expected, manifest, _ = zoo
    found = {name: (row.verdict, row.reason) for name, row in manifest.iterrows()}
    assert len(expected) >= 30
    assert found == expected


def test_only_repaired_posters_are_written(zoo):
    folder, _, manifest, unchanged = zoo
    assert unchanged
    written = {path for path in manifest["repaired_path"] if path}
    assert written == {str(path) for path in (folder.parent / "cache").rglob("*.png")}
    assert set(manifest.index[manifest["repaired_path"] != ""]) == set(
        manifest.index[manifest["verdict"] == "repaired"]
    )


def test_tensorflow_decodes_every_usable_poster(zoo):
    tf = pytest.importorskip("tensorflow")
    folder, _, manifest, _ = zoo
    usable = manifest[manifest["verdict"] != "quarantined"]
    for name, row in usable.iterrows():
        content = tf.io.read_file(row["repaired_path"] or str(folder / name))
        image = tf.io.decode_jpeg(content, dct_method="INTEGER_ACCURATE")
        wanted = (268, 182, 3) if row["repaired_path"] else (row["height"], row["width"], 3)
        assert image.shape == wanted, name


def test_manifest_describes_the_files(zoo):
    folder, _, manifest, _ = zoo
    row = manifest.loc["tt0000005.jpeg"]
    assert (row["imdb_id"], row["width"], row["height"], row["mode"]) == (5, 182, 268, "RGB")
    assert row["bytes"] == (folder / "tt0000005.jpeg").stat().st_size
    assert pd.isna(manifest.loc["poster of my film.jpg", "imdb_id"])
    assert manifest.loc["35.jpg", "mode"] == "CMYK"
    assert manifest.loc["57.png", ["width", "height"]].tolist() == [12_000, 12_000]
    assert manifest.loc["1.jpg", "pixel_hash"] == manifest.loc["74.jpg", "pixel_hash"]


@pytest.mark.slow
def test_needs_less_than_300_mb(zoo, tmp_path):
    folder, *_ = zoo
    large = tmp_path / "large"
    large.mkdir()
    picture = Image.new("RGB", (4000, 3990), "navy")
    (large / "1.jpg").write_bytes(encode(picture))
    (large / "2.jpg").write_bytes(encode(picture.convert("CMYK")))
    (large / "3.png").write_bytes(encode(picture.convert("RGBA"), "PNG", compress_level=1))
    (large / "5.jpg").write_bytes(encode(Image.new("RGB", (6000, 4000), "navy")))
    (large / "6.jpg").write_bytes(encode(Image.new("RGB", (10_000, 10_000), "navy")))
    (large / "4.png").write_bytes(encode(Image.new("I;16", (4000, 3990), 9000), "PNG", compress_level=1))
    script = """
import re, sys
from poster_cnn.datasets import verify as ingest
def peak():  # ru_maxrss would include memory of the parent process
    return int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) / 1024
ingest.verify(sys.argv[1], files=["1.jpg"], progress=False)
before = peak()
verdicts = [ingest.verify(folder, workers=8, progress=False)["verdict"].value_counts() for folder in sys.argv[1:]]
print(peak() - before, verdicts[1]["ok"], verdicts[1]["repaired"])
"""
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(ingest.__file__).parents[2])}
    command = [sys.executable, "-c", script, str(folder), str(large)]
    output = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert output[1:] == ["1", "5"]
    assert 30 < float(output[0]) < 300


def test_quarantines_unreadable_files(posters, monkeypatch):
    (posters / "3.jpg").chmod(0)
    if os.access(posters / "3.jpg", os.R_OK):  # the superuser may read everything
        read = pathlib.Path.read_bytes

        def refuse(path):
            if path.name == "3.jpg":
                raise PermissionError(13, "Permission denied")
            return read(path)

        monkeypatch.setattr(pathlib.Path, "read_bytes", refuse)
    manifest = verify(posters, progress=False).set_index("file")
    assert manifest.loc["3.jpg", ["verdict", "reason"]].tolist() == ["quarantined", "unreadable: Permission denied"]
    assert (manifest["verdict"] == "ok").sum() == 7


# --- repair ---


@pytest.mark.parametrize("orientation", [3, 6])
def test_repairs_rotated_posters(posters, orientation):
    upright = draw_poster(50)
    (posters / "50.jpg").write_bytes(rotated(upright, orientation))
    row = verify(posters, progress=False).set_index("file").loc["50.jpg"]
    difference = np.abs(np.asarray(Image.open(row["repaired_path"]), int) - np.asarray(upright, int))
    assert difference.mean() < 4


def test_scales_sixteen_bit_pictures():
    values = np.linspace(0, 65535, 268 * 182).reshape(268, 182).astype(np.uint16)
    rgb = np.asarray(read_rgb(encode(Image.fromarray(values), "PNG")))
    np.testing.assert_allclose(rgb[..., 0], values / 257, atol=0.51)


def test_transparent_parts_become_white():
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert read_rgb(encode(image, "PNG")).getpixel((0, 0)) == (255, 255, 255)


def test_repaired_posters_have_the_given_size_and_folder(posters, tmp_path):
    (posters / "20.png").write_bytes(encode(draw_poster(20), "PNG"))
    (posters / "20.jpg").write_bytes(encode(draw_poster(21), "PNG"))
    manifest = verify(posters, repaired_dir=tmp_path / "new", image_size=(100, 60), progress=False)
    repaired = manifest.set_index("file")["repaired_path"]
    assert repaired["20.png"] == str(tmp_path / "new" / "20.png.repaired.png")
    assert repaired["20.jpg"] == str(tmp_path / "new" / "20.jpg.repaired.png")
    assert [Image.open(path).size for path in repaired if path] == [(60, 100)] * 2


def test_rejects_the_posters_folder_as_repaired_folder(posters):
    with pytest.raises(ValueError, match="`repaired_dir` must differ"):
        verify(posters, repaired_dir=posters / ".." / "posters")


def test_refuses_truncated_files_even_if_pillow_is_lenient(posters, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    (posters / "1.jpg").write_bytes(encode(draw_poster(1))[:-500])
    manifest = verify(posters, progress=False).set_index("file")
    assert manifest.loc["1.jpg", "reason"] == "truncated"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (PictureLimits(max_bytes=1000), "too many bytes"),
        (PictureLimits(max_pixels=182 * 268 - 1), "too many pixels"),
        (PictureLimits(min_image_size=(268, 183)), "too small"),
        (PictureLimits(min_image_size=(269, 182)), "too small"),
    ],
)
def test_limits_are_checked_before_decoding(limits, reason, decoded):
    with pytest.raises(RefusedPicture, match=reason):
        read_rgb(encode(draw_poster(1)), limits)
    assert not decoded
    read_rgb(encode(draw_poster(1)), PictureLimits(max_pixels=182 * 268, min_image_size=(268, 182)))


@pytest.mark.parametrize(("copies", "verdict"), [(4, "ok"), (5, "quarantined")])
def test_quarantines_pictures_with_many_ids_as_placeholders(posters, copies, verdict):
    for number in range(copies):
        (posters / f"{100 + number}.jpg").write_bytes(encode(Image.new("RGB", (182, 268), "grey")))
    for _ in range(2):  # decoded, then remembered
        manifest = verify(posters, progress=False)
        assert (manifest["verdict"] == verdict).sum() == (8 + copies if verdict == "ok" else copies)
    (posters / "100.jpg").unlink()
    assert (verify(posters, progress=False)["verdict"] == "ok").all()


# --- the remembered manifest ---


def test_second_call_decodes_changed_files_only(posters, decoded):
    first = verify(posters, progress=False)
    assert len(decoded) == 8
    pd.testing.assert_frame_equal(verify(posters, progress=False), first)
    assert len(decoded) == 8
    old = (posters / "2.jpg").stat()
    (posters / "2.jpg").write_bytes(bytes(old.st_size))  # same size and time, other content
    os.utime(posters / "2.jpg", ns=(old.st_atime_ns, old.st_mtime_ns))
    (posters / "3.jpg").rename(posters / "33.jpg")
    second = verify(posters, progress=False).set_index("file")
    assert second.loc["2.jpg", "verdict"] == "quarantined"
    assert second.loc["33.jpg", "imdb_id"] == 33
    assert "3.jpg" not in second.index
    assert len(decoded) == 8


def test_other_limits_or_sizes_are_verified_again(posters, decoded):
    verify(posters, progress=False)
    strict = verify(posters, limits=PictureLimits(min_image_size=(300, 300)), progress=False)
    assert (strict["reason"] == "too small (minimum 300 × 300)").all()
    assert (verify(posters, image_size=(50, 50), progress=False)["verdict"] == "ok").all()
    assert len(decoded) == 16


@pytest.mark.parametrize("harm", [os.unlink, lambda path: pathlib.Path(path).write_bytes(b"other")])
def test_repairs_again_if_the_repaired_file_is_lost_or_changed(posters, harm):
    (posters / "1.jpg").write_bytes(encode(draw_poster(1), "PNG"))
    path = verify(posters, progress=False)["repaired_path"][0]
    harm(path)
    assert verify(posters, progress=False)["repaired_path"][0] == path
    assert Image.open(path).size == (182, 268)


def test_writes_the_manifest_to_the_given_path(posters, tmp_path):
    manifest = verify(posters, manifest_path=tmp_path / "a" / "manifest.csv", progress=False)
    saved = pd.read_csv(tmp_path / "a" / "manifest.csv", keep_default_na=False)
    assert saved["file"].tolist() == manifest["file"].tolist()
    assert saved["perceptual_hash"].tolist() == manifest["perceptual_hash"].tolist()


@pytest.mark.parametrize("content", ["imdbId,Title\n1,A\n", "", 'file,"unclosed\n'])
def test_never_overwrites_other_files(posters, tmp_path, content):
    (tmp_path / "MovieGenre.csv").write_text(content)
    with pytest.raises(ValueError, match="must be a manifest written by `verify`"):
        verify(posters, manifest_path=tmp_path / "MovieGenre.csv")
    assert (tmp_path / "MovieGenre.csv").read_text() == content


def test_replaces_manifests_of_older_versions(posters):
    first = verify(posters, progress=False)
    path = cache_folder(posters) / "manifest.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line.rpartition(",")[0] for line in lines))
    pd.testing.assert_frame_equal(verify(posters, progress=False), first)
    assert path.read_text().splitlines() == lines


def test_interrupted_call_keeps_its_verdicts(posters, monkeypatch, decoded):
    judge = inspection.Inspector._judge

    def interrupted(self, name, data):
        if name == "5.jpg":
            raise KeyboardInterrupt
        return judge(self, name, data)

    with monkeypatch.context() as patch:
        patch.setattr(inspection.Inspector, "_judge", interrupted)
        with pytest.raises(KeyboardInterrupt):
            verify(posters, workers=1, progress=False)
    decoded.clear()
    assert len(verify(posters, progress=False)) == 8
    assert len(decoded) == 4  # 5.jpg to 8.jpg


def test_decodes_strictly_until_the_last_thread_ends(posters, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    judge, others, seen = inspection.Inspector._judge, threading.Event(), []

    def full_disk(self, name, data):
        if name == "1.jpg":
            others.wait(10)
            raise OSError(errno.ENOSPC, "No space left on device")
        others.set()
        time.sleep(0.05)  # the error comes first
        seen.append(ImageFile.LOAD_TRUNCATED_IMAGES)
        return judge(self, name, data)

    monkeypatch.setattr(inspection.Inspector, "_judge", full_disk)
    with pytest.raises(OSError, match="No space left"):
        verify(posters, workers=2, progress=False)
    assert seen and not any(seen) and ImageFile.LOAD_TRUNCATED_IMAGES


def test_rejects_missing_and_empty_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        verify(tmp_path / "nowhere")
    (tmp_path / "outer" / "SampleMoviePosters").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="holds SampleMoviePosters"):
        verify(tmp_path / "outer")


# --- check_posters ---


def test_check_posters_repairs_and_drops(posters):
    (posters / "2.jpg").write_bytes(encode(draw_poster(2), "WEBP"))
    (posters / "3.jpg").write_bytes(encode(draw_poster(3))[:-100])
    table = table_of(posters, ["1.jpg", "2.jpg", "3.jpg", "", "nowhere.jpg", "4.jpg"])
    usable, report = check_posters(table, progress=False)
    assert usable["imdb_id"].tolist() == [1, 2, 6]
    assert usable.index.tolist() == [100, 101, 105]
    assert usable["poster_path"].tolist()[::2] == [str(posters / "1.jpg"), str(posters / "4.jpg")]
    assert Image.open(usable["poster_path"][101]).format == "PNG"
    assert report.index.equals(table.index) and report["poster_path"].equals(table["poster_path"])
    assert report["reason"].tolist() == ["", "webp", "truncated", "no poster", "missing", ""]
    assert table["poster_path"][101].endswith("2.jpg")  # the given table is unchanged
    text = describe(report)
    assert text.startswith("6 posters: 2 ok, 1 repaired, 3 quarantined")
    for said in ("3.jpg", "nowhere.jpg", "truncated"):
        assert said in text


def test_check_posters_decodes_files_of_the_table_only(posters, decoded):
    check_posters(table_of(posters, ["1.jpg", "2.jpg"]), progress=False)
    assert len(decoded) == 2
    check_posters(table_of(posters, ["3.jpg"]), progress=False)
    check_posters(table_of(posters, ["1.jpg", "2.jpg", "3.jpg"]), progress=False)
    assert len(decoded) == 3


def test_check_posters_of_several_folders(posters, tmp_path):
    (tmp_path / "more").mkdir()
    for folder in (posters, tmp_path / "more"):
        (folder / "1.jpg").write_bytes(encode(draw_poster(len(folder.name)), "BMP"))
    table = pd.concat([table_of(posters, ["1.jpg", "2.jpg"]), table_of(tmp_path / "more", ["1.jpg"])])
    usable, _ = check_posters(table, progress=False)
    first, _, other = (np.asarray(Image.open(path), int) for path in usable["poster_path"])
    assert np.abs(first - np.asarray(draw_poster(7), int)).mean() < 4
    assert np.abs(other - np.asarray(draw_poster(4), int)).mean() < 4
    with pytest.raises(ValueError, match="posters from several folders"):
        check_posters(table, repaired_dir=tmp_path / "new")


def test_check_posters_rejects_missing_columns(posters):
    with pytest.raises(ValueError, match="poster_path"):
        check_posters(pd.DataFrame({"imdb_id": [1]}))


def test_check_posters_of_an_empty_table():
    usable, report = check_posters(pd.DataFrame({"imdb_id": [], "poster_path": []}))
    assert len(usable) == len(report) == 0


@pytest.mark.parametrize(
    ("name", "imdb_id"),
    [("114709.jpg", "114709"), ("tt0114709.jpg", "114709"), ("0.jpg", "0"), ("a1.jpg", ""), ("12-3.jpg", "")],
)
def test_imdb_id_of(name, imdb_id):
    assert inspection.imdb_id_of(name) == imdb_id


# --- what is in a folder besides posters ---


def test_counts_other_files_apart(tmp_path, capsys):
    folder = tmp_path / "folder"
    folder.mkdir()
    picture = encode(draw_poster(1))
    named = {"7.jpg": picture, "cover": picture, "scan.bak": picture, "8.png": b"<html></html>", "9": b"text"}
    others = {"notes.txt": b"hello", "labels.csv": b"id,genre\n1,Drama\n2,War\n", "Thumbs.db": b"\xd0\xcf\x11\xe0\0\1"}
    for name, content in (named | others).items():
        (folder / name).write_bytes(content)
    for _ in range(2):  # also with the manifest of the first call
        manifest = verify(folder, progress=False)
        assert set(manifest["file"]) == set(named) and manifest.attrs["others"] == sorted(others)
        assert "3 other files, not pictures: Thumbs.db, labels.csv, notes.txt" in describe(manifest)
    assert main(["verify", str(folder)]) == 1
    printed = capsys.readouterr().out
    assert "5 posters: 3 ok, 0 repaired, 2 quarantined" in printed and "lacks the column(s) imdbId, Title" in printed


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"films.csv": b"a,b\n1,2\n"}, "The movie table lacks the column.*films.csv"),
        ({"MovieGenre.csv": b"imdbId,Title,Genre\n1,A,Drama\n"}, "has no posters"),
        ({"notes.txt": b"hello"}, "has no movie table"),
        ({}, "has no movie table"),
    ],
)
def test_says_why_a_folder_has_neither_data_nor_posters(files, message, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        verify_data(folder)


def test_reports_on_data_never_overwrite_other_files(data_folder, tmp_path):
    (tmp_path / "mine.csv").write_text("imdbId,Title\n1,A\n")
    for path, is_refused in (
        (tmp_path / "mine.csv", True),
        (tmp_path / "new.csv", False),
        (tmp_path / "new.csv", False),
    ):
        command = ["verify", str(data_folder), "--manifest", str(path)]
        assert main(command) == is_refused
    assert (tmp_path / "mine.csv").read_text() == "imdbId,Title\n1,A\n"


def test_repairs_posters_with_the_longest_names(tmp_path):
    (tmp_path / ("映" * 80 + ".png")).write_bytes(encode(draw_poster(1), "PNG"))
    manifest = verify(tmp_path, progress=False)
    assert manifest["verdict"].tolist() == ["repaired"] and os.path.isfile(manifest["repaired_path"].item())
