import pandas as pd
import pytest

from poster_cnn.results.collect import read_published


@pytest.fixture
def published(request):
    """Printed numbers of the paper that the test module names as `PAPER`."""
    return read_published(request.config.rootpath / "experiments" / "published" / f"{request.module.PAPER}.csv")


@pytest.fixture
def make_predictions():
    """Function that builds a table of predictions from genres, labels and probabilities."""

    def make(genres, y_true, y_prob, imdb_ids):
        frame = pd.DataFrame({"imdb_id": list(imdb_ids)})
        for number, genre in enumerate(genres):
            frame[f"true_{genre}"] = [row[number] for row in y_true]
            frame[f"probability_{genre}"] = [row[number] for row in y_prob]
        return frame

    return make
