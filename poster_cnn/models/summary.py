"""Summary of a model as a table, for notebooks and figures."""

import pandas as pd
from keras import Model

from poster_cnn.metrics import arguments


@arguments.checked(model=arguments.instance(Model))
def layer_table(model):
    """Return a model's layers as a table, to print or to draw with `figures.network_diagram`.

    Args:
        model: A built `keras.Model`.

    Returns:
        DataFrame, one row per layer: `name` (str), `type` (class name, str), `output_shape` (tuple without the batch),
        `num_params` (int), `activation` (str, "" if none).
    """
    return pd.DataFrame(
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": tuple(layer.output.shape[1:]),
            "num_params": int(layer.count_params()),
            "activation": getattr(getattr(layer, "activation", None), "__name__", ""),
        }
        for layer in model.layers
    )
