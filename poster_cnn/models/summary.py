"""A model as a table: what figures draw and notebooks print."""

import pandas as pd


def layer_table(model):
    """Lists a model's layers, for printing beside a paper's table or drawing with `figures.network_diagram`.

    Args:
        model: A built `keras.Model`.

    Returns:
        DataFrame, one row a layer: `name` (str), `type` (class name, str), `output_shape` (tuple without the batch),
        `num_params` (int), `activation` (str, "" if none).
    """
    rows = [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": tuple(layer.output.shape[1:]),
            "num_params": int(layer.count_params()),
            "activation": getattr(getattr(layer, "activation", None), "__name__", ""),
        }
        for layer in model.layers
    ]
    return pd.DataFrame(rows)
