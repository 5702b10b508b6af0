"""Word vectors and plots: reading GloVe files, tokenizing, mean vectors, coverage, vectors of whole plots."""

import pathlib
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from conftest import LengthEmbedding

from poster_cnn.movies.metadata import load_movie_metadata
from poster_cnn.multimodal import word_vectors
from poster_cnn.multimodal.word_vectors import (
    load_word_vectors,
    plot_coverage,
    plot_vectors,
    plot_words,
    read_word_vectors,
    tokenize,
)

GLOVE = "the 1 0\nwar 0 2\nlove -4 0.5\n"
REAL_DATA = pathlib.Path(__file__).parents[3] / "shared" / "data"


def read(tmp_path, content, words=None):
    path = tmp_path / "glove.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_word_vectors(path, words)


# --- word vectors ---


def test_reads_all_words_or_the_requested_ones(tmp_path):
    vectors = read(tmp_path, GLOVE)
    assert vectors.row_of == {"the": 0, "war": 1, "love": 2}
    assert vectors.array.dtype == "float32" and vectors.array.tolist() == [[1, 0], [0, 2], [-4, 0.5]]
    assert vectors["love"].tolist() == [-4, 0.5]
    assert (vectors.report.rows_read, vectors.report.rows_kept, vectors.report.findings) == (3, 3, [])
    vectors = read(tmp_path, GLOVE, words=["love", "peace"])
    assert vectors.row_of == {"love": 0} and vectors.array.tolist() == [[-4, 0.5]]
    assert read(tmp_path, GLOVE, words=[]).array.shape == (0, 2)


def test_finds_the_dimension(tmp_path):
    for dimension in (1, 25, 300):
        numbers = " 0.25" * dimension
        assert read(tmp_path, f"a{numbers}\nb{numbers}").array.shape == (2, dimension)


@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"], ids=["unix", "windows", "trailing space"])
def test_ignores_line_ends(tmp_path, end):
    assert read(tmp_path, GLOVE.replace("\n", end)).array.tolist() == [[1, 0], [0, 2], [-4, 0.5]]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"peace 1", "wrong number of fields"),
        (b"peace", "wrong number of fields"),
        (b"", "wrong number of fields"),
        (b"peace 1 2 3", "wrong number of fields"),
        (b" 1 2", "wrong number of fields"),
        (b"peace 1 two", "not a number"),
        (b"peace 1  2", "wrong number of fields"),
        (b"peace 1 nan", "not a finite number"),
        (b"peace 1 1e60", "not a finite number"),
        (b"pe\xffce 1 2", "word is not UTF-8"),
        (b"war 7 7", "word seen before"),
        (b"peace " + b"9" * 300_000 + b" 1", "wrong number of fields"),
    ],
    ids=range(12),
)
def test_skips_and_reports_malformed_lines(tmp_path, line, problem):
    vectors = read(tmp_path, GLOVE.encode() + line + b"\nhate 3 3\n" + line)
    assert list(vectors.row_of) == ["the", "war", "love", "hate"]
    assert vectors["war"].tolist() == [0, 2] and vectors["hate"].tolist() == [3, 3]
    lines = ["line 4", "line 6"] if line else ["line 4"]
    assert vectors.report.findings == [(problem, len(lines), "set aside", lines)]
    assert "line 4" in str(vectors.report)


def test_skips_a_header_with_counts(tmp_path):
    vectors = read(tmp_path, "2 3\na 1 2 3\nb 1 2 3\n")
    assert list(vectors.row_of) == ["a", "b"]
    assert vectors.report.findings == [("wrong number of fields", 1, "set aside", ["line 1"])]


def test_words_may_contain_spaces_and_other_separators(tmp_path):
    words = [". . .", "at name@domain.com", "a\xa0b", "a\u2028b", "a\x85b"]
    vectors = read(tmp_path, GLOVE + "".join(f"{word} 1 {number}\n" for number, word in enumerate(words)))
    assert list(vectors.row_of)[3:] == words
    assert vectors[". . ."].tolist() == [1, 0] and vectors["a\x85b"].tolist() == [1, 4]
    assert vectors.report.findings == []


@pytest.mark.parametrize("content", ["", "\n\n", "word\nother\n"])
def test_rejects_files_without_vectors(tmp_path, content):
    with pytest.raises(ValueError, match="`path` must have lines 'word v1 v2 ...'"):
        read(tmp_path, content)


def test_rejects_invalid_arguments(tmp_path):
    vectors = read(tmp_path, GLOVE)
    with pytest.raises(FileNotFoundError, match="must be a text file of word vectors.*nowhere"):
        read_word_vectors(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="collection of words. Received: words='love'"):
        read(tmp_path, GLOVE, words="love")
    for function in (plot_vectors, plot_coverage):
        with pytest.raises(ValueError, match="Series or list of texts. Received: plots='the war'"):
            function("the war", vectors)
    with pytest.raises(ValueError, match="Received: max_words=0"):
        plot_vectors(["the war"], vectors, max_words=0)


@pytest.mark.parametrize("kind", ["vectors", "malformed", "one line"])
def test_memory_is_independent_of_the_file_size(tmp_path, kind):
    numbers = " 0.12345" * 25
    other = {"vectors": f"word{numbers}\n", "malformed": f"{'word' * 30} 0.1\n", "one line": "word" * 50}[kind]
    path = tmp_path / "glove.txt"
    path.write_text(f"the{numbers}\n" * 20 + other * (4_000_000 // len(other)) + f"\nwar{numbers}\n")
    tracemalloc.start()
    vectors = read_word_vectors(path, {"the", "war"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert list(vectors.row_of) == ["the", "war"]
    assert peak < 600_000 < path.stat().st_size / 5


def test_saved_vectors_are_loaded_unchanged(tmp_path):
    for words in (None, ["day"], []):
        vectors = read(tmp_path, "naïve 1 2\n. . . 3 4\nday 0.1 -5\n", words)
        vectors.save(tmp_path / "saved.npz")
        loaded = load_word_vectors(tmp_path / "saved.npz")
        assert loaded.row_of == vectors.row_of and loaded.array.dtype == "float32"
        assert np.array_equal(loaded.array, vectors.array)


# --- plots ---


@pytest.mark.parametrize(
    ("plot", "tokens"),
    [
        ("The War, at last!", "the war at last"),
        ("He doesn't; they\u2019re Anna's.", "he does n't they 're anna 's"),
        ("I can't. We'll, I'd, I'm, you've", "i ca n't we 'll i 'd i 'm you 've"),
        ("'Tis O'Brien's dogs' rock 'n' roll", "tis o brien 's dogs rock n roll"),
        ("$10,000 in 1999, on the 22nd, 3.5 miles", "10,000 in 1999 on the 22nd 3.5 miles"),
        ("well-paid café_owner / Ünal", "well paid café owner ünal"),
        ("... -- ?!", ""),
    ],
)
def test_tokenizes_as_the_vocabulary_of_glove(plot, tokens):
    assert tokenize(plot) == tokens.split()


def test_mean_vectors_and_coverage_match_a_calculation_by_hand(tmp_path):
    plots = ["The war, the love!", "Peace.", "", "war"]
    vectors = read(tmp_path, GLOVE, plot_words(plots))
    means = plot_vectors(plots, vectors)
    assert means.dtype == "float32"
    assert means.tolist() == [[(1 + 0 + 1 - 4) / 4, (0 + 2 + 0 + 0.5) / 4], [0, 0], [0, 0], [0, 2]]
    coverage = plot_coverage(plots, vectors)
    assert vars(coverage) == {"plots": 4, "words": 6, "known_words": 5, "cut": 0, "empty": 1, "unknown": 1}
    assert "5 of 6 words have a vector (83.3%)" in str(coverage)
    assert plot_vectors([], vectors).shape == (0, 2)
    assert "0 of 0 words" in str(plot_coverage([], vectors))


def test_ignores_words_after_the_maximum(tmp_path):
    vectors = read(tmp_path, GLOVE)
    plots = ["the " * 3000 + "love"]
    assert plot_vectors(plots, vectors).tolist() == [[1, 0]]
    assert plot_vectors(plots, vectors, max_words=3001)[0, 0] < 1
    assert (plot_coverage(plots, vectors).cut, plot_coverage(plots, vectors).words) == (1, 3000)
    assert plot_words(plots) == {"the"}


@pytest.mark.real_data
@pytest.mark.skipif(not REAL_DATA.is_dir(), reason="the original data are not available")
def test_original_plots_and_vectors():
    plots = load_movie_metadata(REAL_DATA / "movie_metadata.csv")["plot"]
    vectors = read_word_vectors(REAL_DATA / "glove.twitter.27B.25d.12k.txt")
    assert vectors.array.shape == (11_925, 25) and vectors.report.findings == []
    coverage = plot_coverage(plots, vectors)
    assert (coverage.plots, coverage.empty, coverage.unknown, coverage.cut) == (3010, 173, 0, 0)
    assert 0.85 < coverage.known_words / coverage.words < 0.87
    means = plot_vectors(plots, vectors)
    assert ((means == 0).all(axis=1) == (plots == "")).all() and np.isfinite(means).all()


# --- vectors of whole plots ---


def test_sentence_vectors_of_plots_with_and_without_words(monkeypatch):
    monkeypatch.setattr(word_vectors, "sentence_embedding", LengthEmbedding)
    found = word_vectors.sentence_vectors(pd.Series(["A war.", "", " ?! ", "The end."], index=[3, 1, 7, 9]))
    assert found.dtype == "float32" and found[:, 0].tolist() == [6, 0, 0, 8] and not found[:, 1:].any()
    assert word_vectors.sentence_vectors([]).shape == (0, 256)
    with pytest.raises(ValueError, match="`plots` must be a Series or list"):
        word_vectors.sentence_vectors("A war.")


def test_sentence_vectors_name_the_missing_package(monkeypatch):
    word_vectors.sentence_embedding.cache_clear()
    monkeypatch.setitem(sys.modules, "wordllama", None)
    with pytest.raises(ImportError, match=r"pip install -e '.\[sentences\]'"):
        word_vectors.sentence_vectors(["A war."])


def test_similar_plots_have_similar_vectors():
    pytest.importorskip("wordllama")
    a, b, c = word_vectors.sentence_vectors(
        ["A ghost haunts an old house.", "A spirit terrifies a family at home.", "Two rivals compete in a car race."]
    )
    assert np.linalg.norm(a) == pytest.approx(1, abs=1e-5) and a @ b > a @ c
