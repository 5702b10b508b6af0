"""A web page on this machine that names the genres of a poster and shows why (Gradio)."""

import os
import pathlib
import tempfile

import numpy as np
from PIL import Image

from poster_cnn.datasets.pixels import open_picture
from poster_cnn.evaluation.explain import genre_maps
from poster_cnn.evaluation.networks import open_network
from poster_cnn.evaluation.pictures import find_pictures
from poster_cnn.evaluation.predict import draw_cards, rank_pictures
from poster_cnn.files import write_atomically
from poster_cnn.metrics import arguments

HOST = "127.0.0.1"  # other machines cannot reach the page
_MAX_MEGABYTES = 30  # of an uploaded file
_NUM_EXAMPLES = 9
_MAX_MAPS = 3  # genres with a heat map
_HELP = """
# Genres of a movie poster

Drop a poster, or choose an invented one below. Genres at or above their threshold, the line across the bar, are named.
"""


class Demo:
    """Answers of the page, which need neither Gradio nor a browser.

    Args:
        model: Run folder, `.keras` file, ONNX file, or name of a network that comes with the package. Defaults to
            `None`: `"posters_mobilenet_v2"`.
    """

    def __init__(self, model=None):
        self.network = open_network(model)

    def answer(self, path):
        """Return the answer for one picture file.

        Args:
            path: Picture file, or `None` if there is none.

        Returns:
            `(text, card, heat_maps)`: Markdown text, and two RGB `PIL.Image.Image`, which are `None` if the picture
            cannot be read. The heat maps are those of the predicted genres, at most three, or of the most probable one.
        """
        if path is None:
            return "", None, None
        (prediction,) = rank_pictures(find_pictures([pathlib.Path(path)]), self.network)
        if prediction.is_broken:
            return f"This file cannot be read as a picture ({prediction.note}).", None, None
        with tempfile.TemporaryDirectory() as folder:
            draw_cards([prediction], pathlib.Path(folder) / "card.png")
            card = Image.open(pathlib.Path(folder) / "card.png").convert("RGB")
        genres = prediction.genres[:_MAX_MAPS] or prediction.class_names[:1]
        return _sentence(prediction), card, self._heat_maps(path, genres)

    def _heat_maps(self, path, genres):
        from poster_cnn import figures

        image = open_picture(path)
        maps = genre_maps(image, genres, self.network)
        return _drawn(lambda ax, genre: figures.heat_map(image, maps[genre], ax=ax), genres)


def _sentence(prediction):
    shares = dict(zip(prediction.class_names, prediction.probabilities, strict=True))
    if prediction.genres:
        text = "**" + ", ".join(f"{name} {shares[name]:.0%}" for name in prediction.genres) + "**"
    else:
        text = f"**No genre** reaches its threshold. The most probable one is {prediction.class_names[0]}."
    return f"{text}\n\n{prediction.note[0].upper()}{prediction.note[1:]}." if prediction.note else text


def _drawn(draw, genres):
    """Return a row of drawings, one for each genre, as an RGB `PIL.Image.Image`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2 * len(genres), 3.2), dpi=150, layout="constrained")
    for ax, genre in zip(np.atleast_1d(figure.subplots(1, len(genres))), genres, strict=True):
        draw(ax, genre)
        ax.set_title(f"What speaks for {genre}", fontsize=8)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def example_posters(folder, count=_NUM_EXAMPLES):
    """Write the first posters of the embedded dataset's genres to a folder, and return their paths.

    Args:
        folder: Folder to write.
        count: Number of posters. Defaults to 9.
    """
    import random

    from poster_cnn.datasets.embedded.posters import STYLES, draw_poster
    from poster_cnn.datasets.embedded.text import make_title

    paths = []
    for genre in sorted(STYLES)[:count]:
        rng = random.Random(f"demo {genre}")
        paths.append(pathlib.Path(folder) / f"{genre}.jpg")
        with write_atomically(paths[-1]) as temporary:
            draw_poster([genre], make_title([genre], rng), [], rng).save(temporary, quality=90)
    return paths


@arguments.checked(model=arguments.optional(arguments.path), port=arguments.natural)
def launch(model=None, *, port=7860, wait=True):
    """Serve the page at `http://127.0.0.1:PORT`. Nothing is sent to other machines.

    Args:
        model: As in `Demo`. Defaults to `None`.
        port: Port, or 0 for a free one. Defaults to 7860.
        wait: Whether to return only after an interrupt. Defaults to `True`.

    Returns:
        The running `gradio.Blocks`, whose `local_url` is the address.

    Raises:
        ImportError: If Gradio is not installed.
        FileNotFoundError, ValueError: If the model cannot be loaded or takes other inputs than pictures.
        OSError: If the port is in use.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before the import
    try:
        import gradio
    except ImportError as error:
        raise ImportError('The demo needs Gradio: pip install -e ".[demo]"', name=error.name) from None
    folder = tempfile.TemporaryDirectory()
    page = build_page(Demo(model), example_posters(folder.name))
    page.examples_folder = folder  # which exists as long as the page
    page.launch(
        server_name=HOST,
        server_port=port or None,  # Gradio then looks for a free one
        share=False,
        quiet=True,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        footer_links=[],
        max_file_size=f"{_MAX_MEGABYTES}mb",
        theme=gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        prevent_thread_lock=True,
    )
    print(f"Demo: {page.local_url}", flush=True)
    if wait:
        page.block_thread()
    return page


def build_page(demo, examples):
    """Return the page as `gradio.Blocks`.

    Args:
        demo: `Demo`.
        examples: Paths of pictures to choose from.
    """
    import gradio

    with gradio.Blocks(title="Genres of a movie poster", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gradio.Markdown(_HELP)
        with gradio.Row():
            with gradio.Column(scale=1):
                # Unlike `gradio.Image`, it passes on files that are no pictures, which then get a sentence.
                upload = gradio.File(label=f"Poster, at most {_MAX_MEGABYTES} MB", type="filepath", height=160)
                gallery = gradio.Dataset(
                    components=[gradio.Image(visible=False, render=False)],
                    samples=[[str(path)] for path in examples],
                    type="index",
                    label="Invented posters",
                    elem_id="examples",
                )
            with gradio.Column(scale=2):
                text = gradio.Markdown(elem_id="answer")
                drawing = {"buttons": [], "interactive": False, "visible": False, "show_label": False}
                card = gradio.Image(label="Genres and thresholds", elem_id="card", **drawing)
                maps = gradio.Image(label="What speaks for them", elem_id="maps", height=360, **drawing)

        def show(path):
            """Return the answer as updates of the page."""
            answer, *images = demo.answer(path)
            return answer, *(gradio.update(value=image, visible=image is not None) for image in images)

        def choose(index):
            """Return the answer for the chosen example."""
            return show(examples[index])

        outputs = {"outputs": [text, card, maps], "concurrency_id": "posters", "api_visibility": "private"}
        upload.change(show, upload, **outputs)
        gallery.click(choose, gallery, **outputs)
    return page
