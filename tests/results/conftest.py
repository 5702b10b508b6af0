import pytest

from poster_cnn.results.collect import read_published


@pytest.fixture
def published(request):
    """Printed numbers of the paper that the test module names as `PAPER`."""
    return read_published(request.config.rootpath / "experiments" / "published" / f"{request.module.PAPER}.csv")
