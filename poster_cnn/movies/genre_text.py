"""Genres as text: spellings, and cells that hold several genres in the notations of common exporters."""

import ast
import collections
import html
import itertools
import json
import re
import unicodedata
import warnings

import pandas as pd

from poster_cnn.movies.cells import is_missing

IMDB_GENRES = (
    "Action Adult Adventure Animation Biography Comedy Crime Documentary Drama Family Fantasy Film-Noir Game-Show "
    "History Horror Music Musical Mystery News Reality-TV Romance Sci-Fi Short Sport Talk-Show Thriller War Western"
).split()
_OTHER_SPELLINGS = {"sciencefiction": "scifi"}

# A text of nothing but IMDb's genres, whatever is between them: commas, "&", "and", line breaks or nothing.
_GENRE = "|".join(sorted([*IMDB_GENRES, "Science-Fiction"], key=len, reverse=True)).replace(
    "-", r"(?:[^\w|,;/]|_){0,3}"
)
_ONLY_GENRES = re.compile(rf"(?:[\W_]|and)*(?:(?:{_GENRE})(?:[\W_]|and)*)+", re.IGNORECASE)
# From the strongest separator to the weakest. Only "|" separates in any case.
_SEPARATORS = (r"\|", r"[,;\t\r\n、·•]", "/")
_LOOKS_LIKE_SEVERAL = re.compile(rf"[,;/&+、·•]|\b(?:and|{_GENRE})\b", re.IGNORECASE)
_NO_NAME = re.compile(r"""[\[\]{}<>"=\\|\t\r\n]|://|'\s*:|^[\W\d_]*$|^.{61}""")
_RARE = 2  # rows; a genre of more rows is meant as it is written

# Lists as Python, NumPy, R and Spark print them, such as "array(['Drama'], dtype=object)".
_CALL = re.compile(r"(?:array|c|frozenset|index|list|set|tuple|wrappedarray)\((.*?)(?:,\s*dtype=.*)?\)", re.I | re.S)
_NUMPY_TEXT = re.compile(r"(?:np|numpy)\.str_\((.*?)\)")
_GAP = re.compile(r"""(['"])\s+(?=['"])""")  # NumPy prints arrays without commas
_NULL = re.compile(r"\b(?:null|nan|NaN|undefined)\b")
_NAME_OF_STRUCT = re.compile(r"\bname=([^,}\])]+)")  # "[{id=18, name=Drama}]", as Athena and Java print it
_BRACKETS = {"[": "]", "{": "}"}
_NAME_KEYS = ("name", "genre", "genres", "description", "title", "text", "label", "value")
_QUOTES = str.maketrans("‘’“”", "''\"\"")


def genre_key(name):
    """Return what all spellings of a genre have in common, such as "scifi" for "Sci-Fi" and "science fiction"."""
    key = re.sub(r"[\W_]", "", name).casefold()
    return _OTHER_SPELLINGS.get(key, key)


_SPELLING = {genre_key(name): name for name in IMDB_GENRES}


def is_imdb_genre(name):
    """Return whether a name, in any spelling, is one of IMDb's genres."""
    return genre_key(name) in _SPELLING


def canonical_genre(name):
    """Return a genre's name in IMDb's spelling, or as it is without spaces around it."""
    return _SPELLING.get(genre_key(name), name.strip())


def canonical_genres(names):
    """Return genre names in IMDb's spelling and in the given order, without empty and repeated ones."""
    keys = {genre_key(name): canonical_genre(name) for name in names if not is_missing(name)}
    return list(dict.fromkeys(name for key, name in keys.items() if key))


def parse_genres(text, known=frozenset()):
    """Return the genres in a text, such as "Drama|Comedy", "Drama, Comedy" or "[{'id': 18, 'name': 'Drama'}]".

    Args:
        text: Text of a cell. It is split at "|", between the items of a list, and at other separators if one of the
            parts is a genre.
        known: Genres besides IMDb's, as `genre_key` returns them.

    Returns:
        List of str in IMDb's spelling, each name once.

    Raises:
        ValueError: If the text cannot be understood.
    """
    text = unicodedata.normalize("NFKC", html.unescape(html.unescape(text))).translate(_QUOTES)  # "&amp;amp;"
    text = "".join(letter for letter in text if letter.isascii() or unicodedata.category(letter) != "Cf").strip()
    if is_missing(text):
        return []
    names = [name for item in _items(re.sub(r"<[^<>]*>", "|", text)) for name in _split(item, known)]
    if any(map(_NO_NAME.search, names)):
        raise ValueError(f"Expected names of genres. Received: {text!r}")
    return canonical_genres(names)


def _items(text):
    """Return the items of a list in Python's, JSON's or another notation; the text itself if it is no list."""
    if text[:1] in _BRACKETS and not text.endswith(_BRACKETS[text[0]]):
        raise ValueError(f"Expected a whole list of genres. Received: {text!r}")
    if _ONLY_GENRES.fullmatch(text) or is_missing(text):
        return [text]
    call = _CALL.fullmatch(text)
    text = _GAP.sub(r"\1, ", _NUMPY_TEXT.sub(r"\1", call[1].strip() if call else text))
    if text[:1] not in {*"[{(\"'"}:
        return [text]
    for candidate in dict.fromkeys((text, text.replace('""', '"'), text.replace('\\"', '"'), _NULL.sub("None", text))):
        for parse in (json.loads, ast.literal_eval):
            try:
                with warnings.catch_warnings(action="ignore"):
                    value = parse(candidate)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            return names_in(value)
    if text[0] + text[-1] in ("[]", "{}", "()"):  # without quotes, as in "{Drama,Comedy}"
        return _NAME_OF_STRUCT.findall(text) or text[1:-1].split(",")
    return [text]


def names_in(value):
    """Return the names in a list, or in a list of dicts such as TMDB's, as a list of str.

    Raises:
        ValueError: If there is something else in it, such as numbers.
    """
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return _items(value) if value[:1] in {*"[{("} else [value]
    if isinstance(value, dict):
        value_of = {str(key).lower(): item for key, item in value.items()}
        if key := next((key for key in _NAME_KEYS if key in value_of), None):
            return names_in(value_of[key])
        numbers = all(item in (0, 1) for item in value.values())
        return names_in([key for key, item in value.items() if item] if numbers else list(value.values()))
    if isinstance(value, set | frozenset):
        value = sorted(value, key=str)  # their order differs from process to process
    if isinstance(value, list | tuple):
        return list(itertools.chain.from_iterable(map(names_in, value)))
    if pd.isna(value):
        return []
    raise ValueError(f"Expected names of genres. Received: {value!r}")


def _split(text, known, level=0):
    """Return the genres in a text without brackets; the text itself if none of its parts is a genre."""
    text = text.strip(" \t\r\n,;|/")
    text = text[1:-1].strip() if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
    if not text or is_missing(text):
        return []
    if _ONLY_GENRES.fullmatch(text):
        return re.findall(_GENRE, text, re.IGNORECASE)
    if level == len(_SEPARATORS):
        parts = re.split(r"\s*(?:[&+]|\band\b)\s*", text)
        return parts if all(is_imdb_genre(part) or genre_key(part) in known for part in parts) else [text]
    names = [name for part in re.split(_SEPARATORS[level], text) for name in _split(part, known, level + 1)]
    return names if level == 0 or any(is_imdb_genre(name) or genre_key(name) in known for name in names) else [text]


def _frequent_parts(texts):
    """Return the keys of what is between separators in more than two rows, and not only in one pair like "Rock/Pop"."""
    counts, wholes = collections.Counter(), collections.defaultdict(set)
    for text, count in texts.value_counts().items():
        whole_of = {
            genre_key(part): genre_key(whole)
            for whole in re.split("|".join(_SEPARATORS[:-1]), text)
            for part in whole.split(_SEPARATORS[-1])
        }
        counts.update(dict.fromkeys(whole_of, count))
        for key, whole in whole_of.items():
            wholes[key].add(whole)
    return {key for key, count in counts.items() if count > _RARE and (key in wholes[key] or len(wholes[key]) > 1)}


def parse_genre_cells(texts):
    """Parse a column of genres. What is between separators in more than two rows is a genre too.

    Args:
        texts: Series of str, indexed by the numbers of the rows.

    Returns:
        `(genres, other, suspicious)`: list of lists of str; list of bool, whether a cell is in another notation than
        "Drama|Comedy"; and dict of a row's number -> genre of at most two rows that looks like several.

    Raises:
        ValueError: If a cell cannot be understood.
    """
    known, parsed, wrong = _frequent_parts(texts), {}, {}
    for row, text in texts.items():
        try:
            parsed[text] = parsed[text] if text in parsed else parse_genres(text, known)
        except ValueError:
            wrong[row] = text
    if wrong:
        shown = ", ".join(f"row {row}: {text[:80]!r}" for row, text in itertools.islice(wrong.items(), 3))
        raise ValueError(
            "Genres must be written as 'Drama|Comedy', 'Drama, Comedy' or \"['Drama', 'Comedy']\". Correct "
            f"the cell, or leave it empty. Received: {len(wrong)} cell(s) that cannot be understood, {shown}"
        )
    genres = [parsed[text] for text in texts]
    is_plain = {text: names == canonical_genres(text.split("|")) for text, names in parsed.items()}
    other = [
        bool(names) and (text[0] in "[{(\"'" or not is_plain[text]) for text, names in zip(texts, genres, strict=True)
    ]
    rows = pd.Series(genres, index=texts.index, dtype=object).explode().dropna()
    rare = rows[rows.map(rows.value_counts()) <= _RARE]
    is_part = {row: not (is_plain[text] or text[0] in "[{(") for row, text in texts[texts != ""].items()}
    suspicious = {
        row: name
        for row, name in rare.items()
        if not is_imdb_genre(name) and (is_part[row] or _LOOKS_LIKE_SEVERAL.search(name))
    }
    return [list(names) for names in genres], other, suspicious
