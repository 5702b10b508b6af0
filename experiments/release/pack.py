"""Turn a finished run into the files of a network that comes with the package, in `poster_cnn/weights/`.

    python experiments/release/pack.py RUN posters_mobilenet_v2 [--scores OTHER_RUN]

It writes NAME.npz (weights by their Keras paths: float16, vectors float32), NAME.json (builder, genres, thresholds and
scores), NAME.onnx (a graph for ONNX Runtime that reads its weights from NAME.npz) and the card NAME.md. It needs the
package `onnx`, which prediction does not. --scores names the run on a part of the posters that gives thresholds,
calibration and scores, if RUN was trained on all of them.
"""

import argparse
import pathlib
import zipfile

import keras
import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper

from poster_cnn.evaluation.networks import open_network
from poster_cnn.files import read_json, write_atomically, write_json, write_text
from poster_cnn.models import shipped
from poster_cnn.training import recorded_config
from poster_cnn.training.model_card import model_card
from poster_cnn.training.saved_model import load_model

_TRAINING_ONLY = ("weights", "trainable", "dropout", "logits_dropout")  # arguments that do not change predictions
RESULTS = pathlib.Path(__file__).parent.parent / "results"
_ACTIVATIONS = {"relu": "Relu", "relu6": "Relu6", "sigmoid": "Sigmoid", "softmax": "Softmax", "linear": None}


def pack(run_dir, name, scores_dir=None, folder=shipped.FOLDER):
    """Write the files of a shipped network, and check that Keras and ONNX Runtime agree on random pictures.

    Args:
        run_dir: Finished run folder.
        name: Name of the network.
        scores_dir: Finished run folder that gives thresholds, calibration and scores. Defaults to `None`: `run_dir`.
        folder: Folder to write. Defaults to `poster_cnn/weights`.

    Returns:
        Largest difference between the probabilities of Keras and ONNX Runtime.
    """
    folder, run_dir = pathlib.Path(folder), pathlib.Path(run_dir)
    model, about = load_model(run_dir)
    config = recorded_config(run_dir)
    model_args = {key: value for key, value in config.network.model_args.items() if key not in _TRAINING_ONLY}
    model_args |= {
        "input_shape": list(model.input_shape[1:]),
        "num_classes": len(about["class_names"]),
        "classifier_activation": config.network.classifier_activation,
    }
    if scores_dir:  # the posters that RUN was trained on can choose neither
        measured = load_model(scores_dir)[1]
        about |= {key: measured[key] for key in ("thresholds", "calibration")}
    about["mirrored"] = config.fit.augmentation != "none"  # it was trained on mirrored posters
    metrics = read_json(pathlib.Path(scores_dir or run_dir) / "metrics.json")
    scores = {key: metrics[key] for key in ("test", "baselines", "calibration") if key in metrics}
    content = {"model": config.network.model, "model_args": model_args, "about": about, "scores": scores}
    write_weights(model, folder / f"{name}.npz")
    write_json(folder / f"{name}.json", content)
    with write_atomically(folder / f"{name}.onnx") as temporary:
        onnx.save(_Graph(model, folder / f"{name}.npz").to_onnx(), temporary)
    card = model_card(run_dir, scored_run=scores_dir, name=name, license="mit")
    is_default = name == shipped.DEFAULT  # the others are not measured
    write_text(folder / f"{name}.md", card + (f"\n## Further measurements\n\n{measurements()}" if is_default else ""))
    images = np.random.default_rng(0).integers(0, 256, (8, *model.input_shape[1:])).astype("float32")
    shipped_model, _ = load_model(name)
    return float(np.abs(shipped_model.predict_on_batch(images) - open_network(name).run(images)).max())


def measurements(results=RESULTS):
    """Return a Markdown table of what was measured of the default network apart from its scores, with the commands."""
    copies = pd.read_csv(results / "release_near_copies.csv").set_index("posters")
    exports = pd.read_csv(results / "release_exports.csv").set_index("format")
    seconds = pd.read_csv(results / "benchmark_latency.csv").set_index("command").loc["predict", "seconds"]
    points = pd.read_csv(results / "pointing_game.csv").query("network == 'mobilenet_v2' and method == 'grad_cam'")
    copying = "python experiments/release/near_copies.py data/posters"
    pointing = "python experiments/benchmarks/pointing_game.py"
    rows = [
        (f"taken for copies: {what}", f"{found:,} of {tried:,}", copying) for what, tried, found in copies.itertuples()
    ]
    latency = "one poster, from the prompt to the answer, 2 cores", f"{seconds:.2f} s"
    rows.append((*latency, "python experiments/benchmarks/latency.py data"))
    for name, row in exports.iterrows():
        what = f"largest difference of {name} from Keras, {row['num_posters']:,} posters"
        command = f"poster-cnn export --format {name} --pictures data/posters/*.jpg"
        rows.append((what, f"{row['largest_difference']:g}", command))
    trained, random = (points.set_index("weights").loc[name] for name in ("trained", "random"))
    shares = {
        "Grad-CAM's hottest point on the emblem of drawn posters, last layer trained on them": trained["hits"],
        "the same with random weights": random["hits"],
        "another poster's map": trained["other_map"],
        "the center of the picture": trained["center"],
        "chance": trained["chance"],
    }
    rows += [(what, f"{share:.1%}", pointing) for what, share in shares.items()]
    lines = [f"| {what} | {value} | `{command}` |" for what, value, command in rows]
    return "\n".join(["| what | measured | command |", "| --- | ---: | --- |", *lines, ""])


def write_weights(model, path):
    """Write the weights of a model as an uncompressed `.npz`: float16, but vectors float32."""
    arrays = {weight.path: np.asarray(keras.ops.convert_to_numpy(weight)) for weight in model.weights}
    arrays = {key: value.astype("float16" if value.ndim > 1 else "float32") for key, value in arrays.items()}
    with write_atomically(path) as temporary:
        np.savez(temporary, **arrays)


class _Graph:
    """ONNX graph of a network of the layers in `models`, with its weights in an `.npz` next to it."""

    def __init__(self, model, weights_path):
        self.model, self.weights_path = model, weights_path
        self.nodes, self.weights = [], {}
        self.offsets = dict(_offsets(weights_path))

    def to_onnx(self):
        """Return the `onnx.ModelProto`: float32 pixels 0..255 `(batch, height, width, 3)` -> probabilities."""
        inputs = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", *self.model.input_shape[1:]])
        x = self.network(self.model, self.add("Transpose", ["images"], perm=[0, 3, 1, 2]))
        self.nodes.append(helper.make_node("Identity", [x], ["probabilities"]))
        outputs = helper.make_tensor_value_info(
            "probabilities", TensorProto.FLOAT, ["batch", self.model.output_shape[1]]
        )
        graph = helper.make_graph(self.nodes, self.model.name, [inputs], [outputs], list(self.weights.values()))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)

    def add(self, kind, inputs, **attributes):
        """Add a node and return the name of its output."""
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def weight(self, variable, axes=None):
        """Return the name of a variable as float32, with its axes in the order that ONNX expects."""
        offset, dtype, shape = self.offsets[variable.path]
        if variable.path not in self.weights:
            kind = TensorProto.FLOAT16 if dtype == np.float16 else TensorProto.FLOAT
            tensor = TensorProto(name=variable.path, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
            place = {"location": self.weights_path.name, "offset": offset, "length": dtype.itemsize * np.prod(shape)}
            for key, value in place.items():
                tensor.external_data.add(key=key, value=str(value))
            self.weights[variable.path] = tensor
        name = variable.path if dtype != np.float16 else self.add("Cast", [variable.path], to=TensorProto.FLOAT)
        return name if axes is None else self.add("Transpose", [name], perm=axes)

    def constant(self, value):
        """Return the name of a float32 constant."""
        value = np.asarray(value, "float32")
        tensor = helper.make_tensor("value", TensorProto.FLOAT, value.shape, value.ravel().tolist())
        return self.add("Constant", [], value=tensor)

    def network(self, model, x):
        """Add the layers of a functional model; return the name of its output."""
        names = {id(model.inputs[0]): x}
        for layer in model.layers:
            if isinstance(layer, keras.layers.InputLayer):
                continue
            node = layer._inbound_nodes[-1 if isinstance(layer, keras.Model) else 0]
            given = [names[id(tensor)] for tensor in node.input_tensors]
            names[id(node.output_tensors[0])] = getattr(self, f"_{type(layer).__name__}")(layer, *given)
        return names[id(model.outputs[0])]

    def activation(self, layer, x):
        """Add the activation of a layer."""
        kind = _ACTIVATIONS[layer.activation.__name__]
        if kind == "Relu6":
            return self.add("Clip", [x, self.constant(0), self.constant(6)])
        return x if kind is None else self.add(kind, [x])

    def convolution(self, layer, x, kernel, **attributes):
        """Add a convolution with its bias and activation."""
        inputs = [x, kernel] + ([self.weight(layer.bias)] if layer.use_bias else [])
        padding = "SAME_UPPER" if layer.padding == "same" else "VALID"
        x = self.add("Conv", inputs, auto_pad=padding, strides=list(layer.strides), **attributes)
        return self.activation(layer, x)

    def _Functional(self, layer, x):
        return self.network(layer, x)

    def _Dropout(self, layer, x):
        return x

    def _Rescaling(self, layer, x):
        scale, offset = (np.reshape(value, (-1, 1, 1)) for value in (layer.scale, layer.offset))
        return self.add("Add", [self.add("Mul", [x, self.constant(scale)]), self.constant(offset)])

    def _ZeroPadding2D(self, layer, x):
        (top, bottom), (left, right) = layer.padding
        pads = helper.make_tensor("value", TensorProto.INT64, [8], [0, 0, top, left, 0, 0, bottom, right])
        return self.add("Pad", [x, self.add("Constant", [], value=pads)])

    def _Conv2D(self, layer, x):
        return self.convolution(layer, x, self.weight(layer.kernel, (3, 2, 0, 1)))

    def _DepthwiseConv2D(self, layer, x):
        return self.convolution(layer, x, self.weight(layer.kernel, (2, 3, 0, 1)), group=layer.kernel.shape[2])

    def _BatchNormalization(self, layer, x):
        weights = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
        return self.add("BatchNormalization", [x, *map(self.weight, weights)], epsilon=layer.epsilon)

    def _ReLU(self, layer, x):
        x = self.add("Relu", [x])
        return x if layer.max_value is None else self.add("Min", [x, self.constant(layer.max_value)])

    def _Activation(self, layer, x):
        return self.activation(layer, x)

    def _Add(self, layer, x, y):
        return self.add("Add", [x, y])

    def _MaxPooling2D(self, layer, x):
        return self.add("MaxPool", [x], kernel_shape=list(layer.pool_size), strides=list(layer.strides))

    def _GlobalMaxPooling2D(self, layer, x):
        return self.add("Flatten", [self.add("GlobalMaxPool", [x])])

    def _GlobalAveragePooling2D(self, layer, x):
        return self.add("Flatten", [self.add("GlobalAveragePool", [x])])

    def _Flatten(self, layer, x):
        return self.add("Flatten", [self.add("Transpose", [x], perm=[0, 2, 3, 1])])

    def _Dense(self, layer, x):
        x = self.add("Gemm", [x, self.weight(layer.kernel), self.weight(layer.bias)])
        return self.activation(layer, x)


def _offsets(path):
    """Yield the name of each array in an uncompressed `.npz`, and its offset in the file, its dtype and its shape."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        for entry in archive.infolist():
            file.seek(entry.header_offset + 26)
            name_length, extra_length = np.frombuffer(file.read(4), "<u2")
            file.seek(int(name_length) + int(extra_length), 1)
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            yield entry.filename.removesuffix(".npy"), (file.tell(), dtype, shape)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", metavar="RUN")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--scores", metavar="OTHER_RUN")
    options = parser.parse_args()
    print(f"Keras and ONNX Runtime agree to {pack(options.run_dir, options.name, options.scores):.1e}")
