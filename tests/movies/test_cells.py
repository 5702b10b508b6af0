"""Single cells as exports write them: missing values, titles, imdbIds and years."""

import pandas as pd
import pytest

from poster_cnn.movies import cells

MISSING = [
    *("", "  ", "N/A", "n/a", "NA", "n.a.", "N / A", "nan", "NaN", "-nan", "NaT", "NULL", "null", "(null)", "<null>"),
    *("[null]", "None", "['nan']", "<NA>", r"\N", "-", "--", "–", "—", "?", "????", "…", "[]", "{}", "()", "''", '""'),
    *("unknown", "Unknown", "undefined", "Not Available", "TBD", "(blank)", "(no genres listed)", "no data"),
    *("#N/A", "#N/A N/A", "#VALUE!", "#REF!", "#DIV/0!", "#NAME?", "#NULL!", "-1.#IND", "1.#QNAN"),
]
KNOWN = ["Drama", "N", "0", "$", "Nan Lee", "Nana", "Nile", "Value", "Not Rated", "Unrated", "千と千尋", "None of them"]


@pytest.mark.parametrize(("texts", "missing"), [(MISSING, True), (KNOWN, False)], ids=["missing", "known"])
def test_recognizes_missing_values(texts, missing):
    assert [text for text in texts if cells.is_missing(text) != missing] == []


def test_titles_may_be_words_for_missing():
    texts = pd.Series([" Unknown ", "None", "Missing", "$", "Null", "N/A", r"\N", "nan", "NULL", "NA", "-", "<NA>"])
    assert cells.titles(texts).tolist() == ["Unknown", "None", "Missing", "$", "Null", *[""] * 7]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tt0114709", "114709"),
        ("TT12345678", "12345678"),
        ("114709.0", "114709"),
        ("https://www.imdb.com/title/tt0114709/?ref_=1", "114709"),
        ('="0114709"', "114709"),
        ("'0114709", "114709"),
        ("tt", ""),
        ("nm0000123", ""),
        ("12-3", ""),
    ],
)
def test_imdb_numbers(text, expected):
    assert cells.imdb_number(text) == expected


YEARS = {
    1995: [
        *("1995", " 1995 ", "1995.0", "1,995", "1.995E+03", "1995–1998", "1995–", "1995-98", "c. 1995", "ca1995"),
        *("1995?", "(1995)", "[1995]", "1995/II", '="1995"', "1995 (USA)", "1995-03-02", "02/03/1995", "2 Mar 1995"),
        *("March 2, 1995", "19950302", "1995-03-02T20:15:00Z", "1995-03-02 00:00:00", "१९९५"),
    ],
    3001: ["3001"],
    None: ["", "95", "03/02/95", "May-95", "20041", "34759", "0", "soon"],
}


@pytest.mark.parametrize("expected", YEARS)
def test_years(expected):
    years = cells.years(pd.Series(YEARS[expected]))
    assert years.isna().all() if expected is None else set(years) == {expected}


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("A (Video 1995)", "", 1995),
        ("A [1995]", "", 1995),
        ("A (1995/I)", "", 1995),
        ("A (1995/II)", "", 1995),
        ("A (TV Series 1995– )", "", 1995),
        ("A (TV Mini-Series 1995–1998)", "", 1995),
        ("A (1995) (TV)", "", 1995),
        ("A (1995) [Uncut]", "", 1995),
        ("A (1995) {Pilot}", "", 1995),
        ("A (1995 film)", "", 1995),
        ("A (c. 1995)", "", 1995),
        ("A (2 June 1995)", "", 1995),
        ("A（1995）", "", 1995),
        ("A (١٩٩٥)", "", 1995),
        ("A (1995) [2010 Remaster]", "", 1995),
        ("A (1995/II) (2010 Director's Cut)", "", 1995),
        ("2012", "1995", 1995),
        ("A (1995)", "1996", 1995),  # the year in the title, as ever
        ("A (Part 2001 of 9)", "1995", 1995),  # a number among words counts only without a year of its own
        ("A (3001)", "1995", 1995),
        ("A (3001)", "", None),
        ("A (in 3000 days)", "", None),
        ("A (????)", "N/A", None),
        ("A (Part 2)", "", None),
    ],
)
def test_years_of_movies(title, text, expected):
    years, impossible = cells.movie_years(pd.Series([title]), pd.Series([text]))
    assert years.isna().all() if expected is None else years.tolist() == [expected]
    assert impossible.tolist() == [expected is None and "300" in title]
