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


@arguments.checked(model=arguments.instance(Model), depth=arguments.count)
def stage_table(model, *, depth=1):
    """Return the stages of a backbone as a table, to draw a deep network with `figures.network_diagram`.

    Layers whose names begin in the same way are one row, such as `conv2_block1_0_bn` to `conv2_block6_concat`. Paddings
    and activations of their own are left out.

    Args:
        model: A backbone with the names of `keras.applications`, such as
            `models.densenet121(...).get_layer("densenet121")`.
        depth: Number of parts of the names that count: 1 for stages ("conv2"), 2 for their blocks ("conv2_block1").
            Defaults to 1.

    Returns:
        DataFrame as from `layer_table`, one row per stage or block: `type` is "6 blocks", "Block", "Transition" (layers
        that end in pooling), or the type of its main layer; `output_shape` is that of the last layer.
    """
    layers = layer_table(model)
    stages = layers["name"].str.split("_").str[:depth].str.join("_")
    rows = []
    for _, stage in layers.groupby((stages != stages.shift()).cumsum(), sort=False):
        main = stage.sort_values("num_params", ascending=False, kind="stable").iloc[0]
        blocks = stage["name"].str.extract(r"^[^_]+_(block\d+)_")[0].nunique()
        pools = stage["type"].iloc[-1].endswith("Pooling2D")
        kind = "Block" if depth > 1 else f"{blocks} blocks"
        if not blocks:
            kind = "Transition" if pools and main["num_params"] else main["type"]
        if main["num_params"] or pools or kind == "InputLayer":
            last = {"output_shape": stage["output_shape"].iloc[-1], "num_params": int(stage["num_params"].sum())}
            rows.append({"name": stages[stage.index[0]], "type": kind} | last | {"activation": ""})
    return pd.DataFrame(rows)
