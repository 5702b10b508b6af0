import os
import pathlib
import shutil
import socket
import threading

import pytest
from PIL import Image

from poster_cnn.cli import main
from poster_cnn.evaluation.demo import Demo, example_posters, launch

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    """Files that are no posters, by name."""
    folder = tmp_path_factory.mktemp("bad")
    (folder / "page.jpg").write_text("<html>404</html>")
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no picture")
    Image.new("1", (9000, 9000)).save(folder / "huge.png")
    Image.effect_noise((182, 268), 90).convert("RGB").save(folder / "whole.jpg")
    (folder / "half.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:4000])
    return folder


def test_answers_with_genres_card_and_heat_maps(finished_run, data_folder):
    text, card, maps = Demo(finished_run).answer(data_folder / "posters" / "1001.jpg")
    assert text.startswith("**Horror ") and text.endswith("%**")
    assert card.mode == maps.mode == "RGB" and min(card.size + maps.size) > 100


@pytest.mark.parametrize("name", ["page.jpg", "empty.png", "notes.txt", "huge.png", "half.jpg", "absent.jpg"])
def test_answers_bad_files_with_a_sentence(finished_run, bad_files, name):
    text, card, maps = Demo(finished_run).answer(bad_files / name)
    assert text.startswith("This file cannot be read as a picture (") and text.endswith(").")
    assert "\n" not in text and "Error" not in text and card is maps is None


def test_answers_nothing_without_a_picture(finished_run):
    assert Demo(finished_run).answer(None) == ("", None, None)


def test_examples_are_pictures_with_the_names_of_genres(tmp_path):
    paths = example_posters(tmp_path, count=2)
    assert [Image.open(path).size for path in paths] == [(182, 268)] * 2
    assert len({path.stem for path in paths}) == 2


def test_names_the_extra_without_gradio(finished_run, monkeypatch, capsys):
    monkeypatch.setitem(__import__("sys").modules, "gradio", None)
    assert main(["demo", "--model", str(finished_run)]) == 1
    assert capsys.readouterr().err == 'poster-cnn: The demo needs Gradio: pip install -e ".[demo]"\n'


@pytest.fixture
def page(finished_run, monkeypatch):
    """Address of the running page."""
    pytest.importorskip("gradio")
    found = launch(finished_run, port=0, wait=False)
    yield found.local_url
    found.close()


@pytest.mark.slow
def test_is_reached_from_this_machine_only(page):
    port = int(page.rstrip("/").rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        pass
    listening = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    addresses = {line.split()[1].split(":")[0] for line in listening if line.split()[1].endswith(f":{port:04X}")}
    assert addresses == {"0100007F"}  # 127.0.0.1
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_in_a_browser(page, data_folder, bad_files):
    sync_api = pytest.importorskip("playwright.sync_api")
    failures = []

    def visit():
        """Use the page as a person does, in a thread of its own, as Playwright wants one without an event loop."""
        try:
            with sync_api.sync_playwright() as playwright:
                _visit(playwright, page, data_folder, bad_files)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=visit)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def _visit(playwright, page, data_folder, bad_files):
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    tab, requested = browser.new_page(viewport={"width": 1200, "height": 1000}), []
    tab.set_default_timeout(200_000)
    tab.on("request", lambda request: requested.append(request.url))
    tab.goto(page)
    tab.wait_for_selector("#examples img")

    upload, answer = "input[type=file]", tab.locator("#answer")
    tab.set_input_files(upload, data_folder / "posters" / "1001.jpg")
    answer.get_by_text("Horror").wait_for()
    for drawing in ("#card img", "#maps img"):
        tab.locator(drawing).wait_for()
        assert tab.locator(drawing).bounding_box()["height"] > 100

    for name in ("page.jpg", "half.jpg", "notes.txt"):
        tab.get_by_label("Clear").first.click()
        tab.set_input_files(upload, bad_files / name)
        answer.get_by_text("This file cannot be read").wait_for()
        assert "Traceback" not in tab.content()
    tab.locator("#examples img").nth(2).click()
    answer.get_by_text("%").wait_for()
    tab.locator("#maps img").wait_for()
    assert requested and all(url.startswith((page.rstrip("/"), "data:", "blob:")) for url in requested), requested
    browser.close()
