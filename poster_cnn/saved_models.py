"""A `.keras` file that knows its genres: saved with its class names inside, loaded safely."""

import json
import pathlib
import zipfile

import keras

from poster_cnn.files import write_atomically

_ENTRY = "poster_cnn.json"


def save_model(model, path, *, class_names, interpolation="bilinear"):
    """Saves a model as one `.keras` file that also holds its class names, atomically.

    The file is an ordinary Keras file: `keras.models.load_model` reads it too.

    Args:
        model: `keras.Model` with one image input.
        path: File to write, ending in `.keras`.
        class_names: Genres, in label order.
        interpolation: How posters are shrunk to the model's input. Defaults to `"bilinear"`.
    """
    content = {"class_names": list(class_names), "interpolation": interpolation}
    with write_atomically(path) as temporary:
        model.save(temporary)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(_ENTRY, json.dumps(content, ensure_ascii=False))


def load_model(path):
    """Loads a model saved by `save_model`, without running any code that the file may hold.

    Args:
        path: The `.keras` file, or the run folder that holds it.

    Returns:
        `(model, about)`: the `keras.Model`, and a dict with `class_names` and `interpolation`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a `.keras` file, was not saved by poster_cnn, or holds code.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / "model.keras"
    if not path.is_file():
        raise FileNotFoundError(f"No model found. Expected a .keras file or a finished run folder. Looked for {path}.")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise ValueError(f"Not a .keras file: {path}. Other formats can run code when loaded and are refused.")
    with zipfile.ZipFile(path) as archive:
        if _ENTRY not in archive.namelist():
            raise ValueError(
                f"{path} was not saved by poster_cnn: it does not say which genres it predicts. "
                "Save it with `poster_cnn.saved_models.save_model(model, path, class_names=...)`."
            )
        about = json.loads(archive.read(_ENTRY))
    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except (ValueError, TypeError, OSError, KeyError) as error:
        raise ValueError(f"{path} cannot be loaded: {str(error).splitlines()[0]}") from error
    return model, about
