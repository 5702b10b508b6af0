"""Spellings of single cells: missing values, imdbIds and years."""

import functools
import operator
import re

# In exports of databases, spreadsheets, pandas, R and OMDb.
_MISSING = re.compile(
    r"""(?:[^\w$!&+@%=~^]|_)*   # "-", "?", "[]", "…"
    (?: n\s?\W?\s?a | nan | nat | null | none | nil | unknown | undefined | unspecified | missing | empty | blank
      | tb[ad]
      | not\ (?:available|applicable|known|specified|given) | no\ (?:data|value|genres?)(?:\ listed)?
      | (?<=\\)n                                               # \N of MySQL and IMDb
      | (?<=\#)(?:value|ref|name|num|null|div/0|n/a\ n/a)[!?]?   # errors of spreadsheets
      | 1\.\#(?:ind|qnan|snan|inf)                             # not a number in C on Windows
    )?
    (?:[^\w$!&+@%=~^]|_)*""",
    re.IGNORECASE | re.VERBOSE,
)
# Spellings of programs, which nobody types and no title has.
UNAMBIGUOUS = ("", "N/A", "#N/A", "NA", "<NA>", "NaN", "nan", "NULL", "null", r"\N")
_LINK = re.compile(r".*/title/((?:tt)?\d+).*", re.IGNORECASE)
_IMDB_ID = re.compile(
    r"""[="']*(?:tt)?0*([0-9]{1,15})(?:\.0+)?["']*""", re.IGNORECASE
)  # ="0114709" keeps Excel's zeros
# "(1994)" at the end, also "(2010– )" and "(2010–2012)"; \x96 is the dash of Windows files read as ISO-8859-1.
_YEAR_IN_TITLE = r"\(\s*(\d{4})\s*[-\u2013\u2014\x96]?\s*(?:\d{4})?\s*\)\s*$"
# "[1995]", "(Video 1995)", "(1995/I)", "(c. 1995)" or "(1995) (TV)" at the end.
_OPEN, _CLOSE, _INSIDE = r"[(\[{（【]", r"[)\]}）】]", r"[^()\[\]{}（）【】]"
_BRACKETS_WITH_YEAR = (
    rf"{_OPEN}({_INSIDE}*(?<!\d)\d{{4}}(?!\d){_INSIDE}*){_CLOSE}(?:\s*{_OPEN}(?:(?!\d){_INSIDE})*{_CLOSE})*\s*$"
)
_LAST_YEAR_ALONE = (
    rf"{_OPEN}(\d{{4}})(?:/[IVX]+)?{_CLOSE}(?:\s*{_OPEN}{_INSIDE}*{_CLOSE})*\s*$"  # not "[2010 Remaster]"
)
FIRST_YEAR, LAST_YEAR = 1870, 2100


def is_missing(text):
    """Return whether a text means an unknown value, such as "", "N/A", "NULL" or "-"."""
    return _MISSING.fullmatch(text) is not None


def without_missing(texts):
    """Strip a Series of str, and replace missing values by ""."""
    texts = texts.str.strip()
    return texts.mask(texts.map(is_missing).astype(bool), "")


def is_missing_title(text):
    """Return whether a title means an unknown one. Words such as "Unknown" and "None" are titles of movies."""
    return is_missing(text) and (not text.isalpha() or text in UNAMBIGUOUS)


def titles(texts):
    """Strip a Series of titles, and replace missing ones by ""."""
    texts = texts.str.strip()
    return texts.mask(texts.map(is_missing_title).astype(bool), "")


def imdb_number(text):
    """Return the digits of an imdbId or of a link to IMDb, without "tt" and leading zeros; "" if there are none."""
    match = _IMDB_ID.fullmatch(_LINK.sub(r"\1", text.strip()))
    return match[1] if match else ""


def years(texts):
    """Return the first plausible year in each text, else its first four digits, as a float Series; NaN if none."""
    import pandas as pd  # here, as file names are read without it

    texts = texts.str.strip().str.replace(r"^(\d),(\d{3})(?:\.0*)?$", r"\1\2", regex=True)  # "1,995"
    texts = texts.str.replace(r"^(\d{4})(?:0\d|1[0-2])[0-3]\d(?!\d)", r"\1", regex=True)  # "19950302"
    found = texts.str.extract(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")[0]
    found = found.fillna(texts.str.extract(r"(?<!\d)(\d{4})(?!\d)")[0]).map(float)  # digits of any alphabet
    numbers = pd.to_numeric(texts, errors="coerce")  # "1.995E+03"
    return found.fillna(numbers.where(numbers.between(1000, 9999))).astype("float64")


def movie_years(movie_titles, texts):
    """Return the year of each movie: that at the end of the title, else that in the year's own cell.

    Args:
        movie_titles: Series of str.
        texts: Series of str, the cells of the year.

    Returns:
        `(years, impossible)`: an Int64 Series, <NA> if there is no year; and a bool Series of the movies that have
        nothing but impossible years, which are <NA>.
    """
    candidates = [
        movie_titles.str.extract(_YEAR_IN_TITLE)[0].map(float),
        years(texts),
        movie_titles.str.extract(_LAST_YEAR_ALONE)[0].map(float),
        years(movie_titles.str.extract(_BRACKETS_WITH_YEAR)[0]),
    ]
    plausible = [years.where(years.between(FIRST_YEAR, LAST_YEAR)) for years in candidates]
    best = functools.reduce(lambda first, second: first.fillna(second), plausible)
    impossible = best.isna() & functools.reduce(operator.or_, (years.notna() for years in candidates))
    return best.astype("Int64"), impossible
