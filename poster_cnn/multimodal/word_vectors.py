"""Plots -> the mean of their words' GloVe vectors (paper 5, section 3), and how many of their words have one."""

import collections
import dataclasses
import pathlib
import re

import numpy as np

from poster_cnn.files import write_atomically
from poster_cnn.movies.table import TableReport

MAX_WORDS = 3000  # of a plot; what comes after is cut (paper 5, section 3)

# Numbers such as 10,000; "n't" and "'s" on their own, as in the texts that GloVe was trained on; then any word.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|n't\b|'(?:s|re|ve|ll|d|m)\b|[^\W_]+?(?=n't\b)|[^\W_]+")
_MAX_LINE = 1 << 17  # bytes; no vector is that long, and a file without line breaks is not to fill the memory
_MAX_EXAMPLES = 1000  # line numbers kept of each kind of malformed line


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """Vectors of words.

    Attributes:
        row_of: dict of a word -> its row in `array`.
        array: float32 array `(num_words, dimension)`.
        report: `table.TableReport` of the file's lines: the malformed ones by their number, the first being 1.
    """

    row_of: dict
    array: np.ndarray
    report: TableReport

    def __getitem__(self, word):
        """The vector of a word, float32 `(dimension,)`."""
        return self.array[self.row_of[word]]

    def save(self, path):
        """Writes words and vectors as a `.npz` file, atomically; `load_word_vectors` reads it."""
        words = np.frombuffer("\n".join(self.row_of).encode(), dtype="uint8")
        with write_atomically(path) as temporary:
            np.savez_compressed(temporary, words=words, vectors=self.array)


def load_word_vectors(path):
    """Reads `WordVectors` that `save` wrote.

    Args:
        path: `.npz` file.

    Returns:
        `WordVectors`, equal to those saved; their report counts the words alone.
    """
    with np.load(path, allow_pickle=False) as arrays:
        words, array = arrays["words"].tobytes().decode(), arrays["vectors"]
    row_of = {word: row for row, word in enumerate(words.split("\n"))} if len(array) else {}
    return WordVectors(row_of, array, TableReport(len(array), len(array)))


@dataclasses.dataclass(frozen=True)
class PlotCoverage:
    """How many of the words of some plots have a vector; `print` shows it as a sentence.

    Attributes:
        plots: Number of plots.
        words: Number of their words, repetitions and all; words that were cut are not counted.
        known_words: How many of these have a vector.
        cut: Number of plots cut at `max_words`.
        empty: Number of plots without a word.
        unknown: Number of plots with words, but none that has a vector.
    """

    plots: int
    words: int
    known_words: int
    cut: int
    empty: int
    unknown: int

    def __str__(self):
        share = 100 * self.known_words / self.words if self.words else 0.0
        return (
            f"{self.plots:,} plots: {self.known_words:,} of {self.words:,} words have a vector ({share:.1f}%); "
            f"{self.cut:,} plots cut; zero vectors: {self.empty:,} empty plots, {self.unknown:,} without a known word"
        )


def tokenize(plot):
    """Splits a plot into words in lower case, as GloVe's vocabularies have them; punctuation is left out.

    Contractions come apart ("don't" is "do" and "n't", "Anna's" is "anna" and "'s"), hyphens and slashes separate
    words, and a number keeps its commas and points.

    Args:
        plot: Text.

    Returns:
        List of str.

    Example:

    >>> tokenize("Anna's well-paid boss doesn't pay the $10,000.")
    ['anna', "'s", 'well', 'paid', 'boss', 'does', "n't", 'pay', 'the', '10,000']
    """
    return _TOKEN.findall(plot.lower().replace("\u2019", "'"))


def plot_words(plots, *, max_words=MAX_WORDS):
    """The different words of some plots: what `read_word_vectors` is to keep.

    Args:
        plots: Texts.
        max_words: Words of a plot that count. Defaults to 3000.

    Returns:
        Set of str.
    """
    return {word for plot in plots for word in tokenize(plot)[:max_words]}


def read_word_vectors(path, words=None):
    """Reads word vectors in GloVe's text layout, "word v1 v2 ...", of any dimension.

    The file is read line by line and only the words wanted are kept, so its size does not matter to the memory. A word
    may have spaces in it, as ". . ." of GloVe 840B. The dimension is the one that most of the first 20 lines have.

    Args:
        path: Text file in UTF-8.
        words: Words to keep, such as `plot_words(plots)`. Defaults to `None`: all. Of other words' lines only the
            number of fields is looked at.

    Returns:
        `WordVectors`. Malformed lines are set aside and counted in its report; of a repeated word the first vector
        counts.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has no word vector in it, or `words` is a single text.

    Example:

    >>> vectors = read_word_vectors("glove.42B.300d.txt", plot_words(metadata["plot"]))
    >>> print(vectors.report)
    """
    path = pathlib.Path(path)
    if isinstance(words, str):
        raise ValueError(f"`words` must be a collection of words. Received: words={words!r}")
    if not path.is_file():
        raise FileNotFoundError(f"No word vectors found. Expected a text file. Received: path={str(path)!r}")
    wanted = None if words is None else {word.encode() for word in words}
    row_of, rows, counts, numbers, num_lines = {}, [], collections.Counter(), collections.defaultdict(list), 0
    with open(path, "rb") as file:
        dimension = _dimension(file, path)
        for num_lines, line in enumerate(_lines(file), start=1):
            word, vector, problem = _parse(line, dimension, wanted, row_of)
            if problem:
                counts[problem] += 1
                numbers[problem] += [f"line {num_lines}"] if counts[problem] <= _MAX_EXAMPLES else []
            elif vector is not None:
                row_of[word] = len(rows)
                rows.append(vector)
    findings = [(problem, count, "set aside", numbers[problem]) for problem, count in counts.items()]
    array = np.array(rows, dtype="float32").reshape(-1, dimension)
    return WordVectors(row_of, array, TableReport(num_lines, len(rows), findings))


def _dimension(file, path):
    """Numbers a line, by majority of the first lines; the file is then at its start again."""
    fields = [line.count(b" ") for line, _ in zip(_lines(file), range(20), strict=False)]
    file.seek(0)
    counts = collections.Counter(count for count in fields if count)
    if not counts:
        raise ValueError(
            f"No word vectors found. Expected lines 'word v1 v2 ...', separated by spaces. Received: path={str(path)!r}"
        )
    return max(counts, key=counts.get)


def _lines(file):
    """The lines of a binary file without their ends; an empty one for one that is too long to be a vector."""
    while line := file.readline(_MAX_LINE):
        complete = line.endswith(b"\n") or len(line) < _MAX_LINE
        yield line.rstrip(b"\r\n ") if complete else b""
        while not complete:
            rest = file.readline(_MAX_LINE)
            complete = rest.endswith(b"\n") or len(rest) < _MAX_LINE


def _parse(line, dimension, wanted, seen):
    """A line -> word, vector, what is wrong with it; the vector is `None` where the word is not wanted."""
    # Most lines of a large file are other words' lines: left as soon as they can be.
    if (
        wanted is not None
        and line.count(b" ") == dimension
        and line[: line.index(b" ")] not in wanted
        and line[0] != 32
    ):
        return None, None, None
    word, *fields = line.rsplit(b" ", dimension)
    if len(fields) < dimension or not word or (b" " in word and _is_number(word.rsplit(b" ", 1)[1])):
        return None, None, "wrong number of fields"
    if wanted is not None and word not in wanted:
        return None, None, None
    try:
        word = word.decode("utf-8")
    except UnicodeDecodeError:
        return None, None, "word is not UTF-8"
    try:
        with np.errstate(over="ignore"):
            vector = np.array([float(field) for field in fields], dtype="float32")
    except ValueError:
        return None, None, "not a number"
    if not np.isfinite(vector).all():
        return None, None, "not a finite number"
    return (None, None, "word seen before") if word in seen else (word, vector, None)


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def plot_vectors(plots, vectors, *, max_words=MAX_WORDS):
    """The mean vector of the words of each plot (paper 5, section 3).

    Words without a vector do not count; a plot with no known word, or none at all, is a zero vector: see
    `plot_coverage` for how many there are.

    Args:
        plots: Texts, such as the column `plot` of `movie_metadata.load_movie_metadata`.
        vectors: `WordVectors`.
        max_words: Words of a plot that count, from its start. Defaults to 3000.

    Returns:
        float32 array `(num_plots, dimension)`, in the order of `plots`.

    Raises:
        ValueError: If `plots` is a single text, or `max_words` is below 1.
    """
    means = np.zeros((len(plots), vectors.array.shape[1]), dtype="float32")
    for mean, words in zip(means, _tokenized(plots, max_words), strict=True):
        if rows := [vectors.row_of[word] for word in words[:max_words] if word in vectors.row_of]:
            mean[:] = vectors.array[rows].mean(axis=0, dtype="float64")
    return means


def plot_coverage(plots, vectors, *, max_words=MAX_WORDS):
    """How many words of some plots have a vector.

    Args:
        plots: As in `plot_vectors`.
        vectors: As in `plot_vectors`.
        max_words: As in `plot_vectors`.

    Returns:
        `PlotCoverage`
    """
    tokenized = _tokenized(plots, max_words)
    sizes = [(len(words), sum(word in vectors.row_of for word in words[:max_words])) for words in tokenized]
    return PlotCoverage(
        plots=len(sizes),
        words=sum(min(num_words, max_words) for num_words, _ in sizes),
        known_words=sum(known for _, known in sizes),
        cut=sum(num_words > max_words for num_words, _ in sizes),
        empty=sum(not num_words for num_words, _ in sizes),
        unknown=sum(num_words > 0 and not known for num_words, known in sizes),
    )


def _tokenized(plots, max_words):
    if isinstance(plots, str):
        raise ValueError(f"`plots` must be a list or Series of texts. Received: plots={plots[:40]!r}")
    if max_words < 1:
        raise ValueError(f"`max_words` must be 1 or more. Received: max_words={max_words}")
    return [tokenize(plot) for plot in plots]
