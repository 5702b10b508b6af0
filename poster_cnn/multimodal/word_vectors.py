"""Mean GloVe vectors of plots, their vocabulary coverage (paper 5, section 3), and vectors of whole texts."""

import collections
import dataclasses
import functools
import pathlib
import re

import numpy as np

from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments
from poster_cnn.movies.tidy import TableReport

MAX_WORDS = 3000  # per plot; the rest is cut off (paper 5, section 3)

# Numbers such as 10,000; the contractions "n't" and "'s", as in the training texts of GloVe; then all other words.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)+|n't\b|'(?:s|re|ve|ll|d|m)\b|[^\W_]+?(?=n't\b)|[^\W_]+")
_MAX_LINE = 1 << 17  # bytes; limits the memory needed for a file without line breaks
_MAX_EXAMPLES = 1000  # line numbers to keep for each kind of malformed line


_words = arguments.optional(functools.partial(arguments.selection, expected="a collection of words"))
_texts = functools.partial(arguments.sequence, expected="a Series or list of texts", items=str)


@dataclasses.dataclass(frozen=True)
class WordVectors:
    """Word vectors, returned by `read_word_vectors` and `load_word_vectors`.

    Attributes:
        row_of: Dict of word -> its row in `array`.
        array: float32 array `(num_words, dimension)`.
        report: `TableReport` of the lines of the file, with the numbers of malformed lines, counted from 1.
    """

    row_of: dict
    array: np.ndarray
    report: TableReport

    def __getitem__(self, word):
        """Return the vector of a word, float32 `(dimension,)`."""
        return self.array[self.row_of[word]]

    def save(self, path):
        """Write words and vectors to an `.npz` file for `load_word_vectors`."""
        words = np.frombuffer("\n".join(self.row_of).encode(), dtype="uint8")
        with write_atomically(path) as temporary:
            np.savez_compressed(temporary, words=words, vectors=self.array)


@arguments.checked(path=arguments.path)
def load_word_vectors(path):
    """Load the `.npz` file written by `WordVectors.save`."""
    with np.load(path, allow_pickle=False) as arrays:
        words, array = arrays["words"].tobytes().decode(), arrays["vectors"]
    row_of = {word: row for row, word in enumerate(words.split("\n"))} if len(array) else {}
    return WordVectors(row_of, array, TableReport(len(array), len(array)))


@dataclasses.dataclass(frozen=True)
class PlotCoverage:
    """Vocabulary coverage of plots; `print` shows it as a sentence.

    Attributes:
        plots: Number of plots.
        words: Number of words, without those cut off.
        known_words: Number of these words with a vector.
        cut: Number of plots longer than `max_words`.
        empty: Number of plots without words.
        unknown: Number of plots with words, none of which has a vector.
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


@arguments.checked(plot=arguments.text)
def tokenize(plot):
    """Split a text into lowercase words as in the vocabulary of GloVe, without punctuation.

    Contractions are split ("don't" into "do" and "n't"), as are words joined by hyphens and slashes. Numbers keep
    their commas and points.

    Example:

    >>> tokenize("Anna's well-paid boss doesn't pay the $10,000.")
    ['anna', "'s", 'well', 'paid', 'boss', 'does', "n't", 'pay', 'the', '10,000']
    """
    return _TOKEN.findall(plot.lower().replace("\u2019", "'"))


@arguments.checked(plots=_texts, max_words=arguments.count)
def plot_words(plots, *, max_words=MAX_WORDS):
    """Return the set of distinct words among the first `max_words` of each plot, to pass to `read_word_vectors`."""
    return {word for plot in plots for word in tokenize(plot)[:max_words]}


@arguments.checked(path=arguments.path, words=_words)
def read_word_vectors(path, words=None):
    """Read word vectors in GloVe's text format, lines of "word v1 v2 ...".

    The file is read line by line, and only the requested words are kept in memory. A word may contain spaces, such as
    ". . ." in GloVe 840B. The dimension is the most frequent one in the first 20 lines.

    Args:
        path: Text file in UTF-8.
        words: Words to keep, such as `plot_words(plots)`. Only the number of fields is checked in the lines of other
            words. Defaults to `None`: all words.

    Returns:
        `WordVectors`. Its report counts the malformed lines, which are skipped; of a repeated word, the first line is
        used.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file has no lines of word vectors, or `words` is a single string.

    Example:

    >>> vectors = read_word_vectors("glove.42B.300d.txt", plot_words(metadata["plot"]))
    >>> print(vectors.report)
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be a text file of word vectors. Received: path={str(path)!r}")
    wanted = None if words is None else {word.encode("utf-8", "surrogatepass") for word in words}
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
    """Return the most frequent number of values in the first 20 lines, and rewind the file."""
    fields = [line.count(b" ") for line, _ in zip(_lines(file), range(20), strict=False)]
    file.seek(0)
    counts = collections.Counter(count for count in fields if count)
    if not counts:
        raise ValueError(f"`path` must have lines 'word v1 v2 ...', separated by spaces. Received: path={str(path)!r}")
    return max(counts, key=counts.get)


def _lines(file):
    """Yield the lines of a binary file without line ends, and an empty line for each overlong one."""
    while line := file.readline(_MAX_LINE):
        complete = line.endswith(b"\n") or len(line) < _MAX_LINE
        yield line.rstrip(b"\r\n ") if complete else b""
        while not complete:
            rest = file.readline(_MAX_LINE)
            complete = rest.endswith(b"\n") or len(rest) < _MAX_LINE


def _parse(line, dimension, wanted, seen):
    """Return `(word, vector, problem)` of a line; the vector is `None` for a malformed line or an unwanted word."""
    is_usual = line.count(b" ") == dimension and line[0] != 32
    if wanted is not None and is_usual and line[: line.index(b" ")] not in wanted:  # most lines of a large file
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


@arguments.checked(plots=_texts, vectors=arguments.instance(WordVectors), max_words=arguments.integer)
def plot_vectors(plots, vectors, *, max_words=MAX_WORDS):
    """Compute the mean word vector of each plot (paper 5, section 3).

    Words without a vector are ignored. A plot without known words gets a zero vector; see `plot_coverage`.

    Args:
        plots: Series or list of texts.
        vectors: `WordVectors`.
        max_words: Number of words to use from the start of each plot. Defaults to 3000.

    Returns:
        float32 array `(num_plots, dimension)`.

    Raises:
        ValueError: If `plots` is a single string, or `max_words` is below 1.
    """
    means = np.zeros((len(plots), vectors.array.shape[1]), dtype="float32")
    for mean, words in zip(means, _tokenized(plots, max_words), strict=True):
        if rows := [vectors.row_of[word] for word in words[:max_words] if word in vectors.row_of]:
            mean[:] = vectors.array[rows].mean(axis=0, dtype="float64")
    return means


@arguments.checked(plots=_texts)
def sentence_vectors(plots):
    """Compute an embedding of each whole plot with WordLlama, in place of paper 5's mean word vectors.

    The weights are in the package `wordllama`, so nothing is downloaded.

    Args:
        plots: Series or list of texts.

    Returns:
        float32 array `(num_plots, 256)` of vectors of length 1, zeros for a plot without words.

    Raises:
        ImportError: If the package is not installed.

    Example:

    >>> sentence_vectors(["A mother moves to a haunted house."]).shape
    (1, 256)
    """
    has_words = np.array([bool(tokenize(plot)) for plot in plots], dtype=bool)
    vectors = np.zeros((len(plots), 256), dtype="float32")
    if has_words.any():
        known = [plot for plot, has in zip(plots, has_words, strict=True) if has]
        vectors[has_words] = sentence_embedding().embed(known, norm=True)
    return vectors


@functools.cache
def sentence_embedding():
    """Return the embedding of `sentence_vectors`, which is loaded once; an ImportError says how to install it."""
    try:
        import wordllama
    except ImportError as error:
        message = "Vectors of whole plots need WordLlama: pip install -e '.[sentences]'"
        raise ImportError(message, name=error.name) from None
    # Without `cache_dir`, it looks for one of its files on the Internet.
    return wordllama.WordLlama.load(cache_dir=pathlib.Path(wordllama.__file__).parent, disable_download=True)


@arguments.checked(plots=_texts, vectors=arguments.instance(WordVectors), max_words=arguments.integer)
def plot_coverage(plots, vectors, *, max_words=MAX_WORDS):
    """Return the `PlotCoverage` of plots; see `plot_vectors` for the arguments."""
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
    if max_words < 1:
        raise ValueError(f"`max_words` must be 1 or more. Received: max_words={max_words}")
    return [tokenize(plot) for plot in plots]
