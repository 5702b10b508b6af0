"""Diagram of a network, drawn from its layer table."""

import itertools
import math

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from matplotlib.path import Path

from poster_cnn.figures.style import AXES, BLUE, GREEN, GREY, LIGHT_GREY, ORANGE, SKY, paper_style
from poster_cnn.metrics import arguments

# Part of a layer type's name -> display name (`None` for the type itself) and color. The first match counts.
KINDS = {
    "block": (None, GREEN),
    "transition": (None, SKY),
    "input": ("Input", LIGHT_GREY),
    "conv": ("Conv", BLUE),
    "pool": ("Pool", SKY),
    "dense": ("Dense", ORANGE),
    "norm": ("Norm", GREEN),
    "dropout": ("Dropout", LIGHT_GREY),
    "flatten": ("Flatten", LIGHT_GREY),
    "rescal": ("Rescale", LIGHT_GREY),
    "functional": ("Backbone", GREEN),
}
# In inches:
SLOT = 0.45  # width of a layer whose output has up to six characters, such as "107×73"
CHARACTER = 0.073  # extra width per further character
DIGIT = 0.055  # mean width of a character in a number of parameters
TALLEST = 1.25  # height of the tallest map
DEPTH = 0.3  # drawn depth of that map if it were square
BAR = 0.08  # thickness of a vector
ROW = 0.155  # height of a line of text
PAGE = 7.0  # width of a page; a longer network continues in another line
ARC = 0.1  # extra height of a connection per layer that it skips


@arguments.checked(
    layers=arguments.table("type", "output_shape", "num_params", empty=False), merge_repeated=arguments.flag, ax=AXES
)
@paper_style()
def network_diagram(layers, *, merge_repeated=False, connections=(), ax=None):
    """Draw a network layer by layer, feature maps as boxes in proportion to their size (Fig. 2 of Dave, section 3.1).

    A box has the height and depth of its map, and its thickness grows with the channels; the length of a bar grows with
    the units. A layer without parameters that keeps the shape, such as dropout, has a dashed outline.

    Args:
        layers: DataFrame from `models.layer_table`, one row per layer: `type` (such as "Conv2D"), `output_shape` (tuple
            (height, width, channels) or (units,), optionally with a leading None), `num_params` (int), and optionally
            `activation` (str, "" for none) and `frozen` (bool, whether its weights are kept while the others train).
        merge_repeated: Whether consecutive layers with parameters and equal type, activation and output are drawn once
            with their number, such as "3 Conv". Defaults to `False`.
        connections: Pairs `(from, to)` of row positions that are joined by an arc above the boxes, such as the shortcut
            of a residual block. Not with `merge_repeated`. Defaults to none.
        ax: Axes to draw on. Defaults to a new figure, at most 7 inches wide: a longer network continues in another
            line, unless it has connections.

    Returns:
        matplotlib Axes.

    Raises:
        ValueError: If an output is neither a map nor a vector, or a connection does not lead from a row to a later one.

    Example:

    >>> layers = pd.DataFrame({"type": ["InputLayer", "Conv2D", "Flatten", "Dense"],
    ...                        "output_shape": [(107, 73, 3), (105, 71, 32), (238560,), (4,)],
    ...                        "num_params": [0, 896, 0, 954244]})
    >>> network_diagram(layers)
    """
    layers = layers.assign(output_shape=_map_or_vector_shapes(layers["output_shape"]), repeated=1)
    if merge_repeated and len(connections):
        arguments.refuse("connections", "empty with `merge_repeated`, which merges rows", connections)
    if not all(0 <= first < last < len(layers) for first, last in connections):
        arguments.refuse("connections", f"pairs of row positions, from 0 to {len(layers) - 1} in order", connections)
    layers = _merged(layers) if merge_repeated else layers
    shapes, types = list(layers["output_shape"]), list(layers["type"])
    has_activation = "activation" in layers and not layers["activation"].isin(["", "linear"]).all()
    rows = ["Layer", "Output", "", *(["Activation"] if has_activation else []), "Parameters"]
    rows += ["Weights"] if "frozen" in layers else []
    outputs = ["×".join(map(str, shape[:2])) for shape in shapes]
    kinds = [next((kind for part, kind in KINDS.items() if part in name.lower()), (None, LIGHT_GREY)) for name in types]
    names = [name or type_ for (name, _), type_ in zip(kinds, types, strict=True)]
    slot = _slot_width(outputs, layers["num_params"], names)
    per_line = len(shapes) if len(connections) else _layers_per_line(slot, len(shapes))
    num_lines, text_height = math.ceil(len(shapes) / per_line), ROW * len(rows)
    above = max((ARC * (last - first) for first, last in connections), default=0)
    width, height = slot * (per_line + 1), text_height + 1.43 + above  # of a line
    if ax is None:
        _, ax = plt.subplots(figsize=(width + 0.09, num_lines * height + 0.25), layout="constrained")  # and its pads
    highest = max((shape[0] for shape in shapes if len(shape) == 3), default=1)
    longest = max((math.log2(1 + shape[0]) for shape in shapes if len(shape) == 1), default=1)
    for line in range(num_lines):
        last = min(per_line, len(shapes) - line * per_line)
        middle = height * (num_lines - 1 - line) + text_height + 0.68
        ax.plot([slot, slot * (last + 1)], [middle, middle], color=GREY, linewidth=0.6, zorder=0)
        _write_column(ax, slot / 2, middle, rows, color=GREY)
    texts = _texts(layers, names, outputs)
    for position, (shape, (_, color), num_params) in enumerate(zip(shapes, kinds, layers["num_params"], strict=True)):
        line, place = divmod(position, per_line)
        center, middle = slot * (place + 1.5), height * (num_lines - 1 - line) + text_height + 0.68
        look = {"facecolor": color, "edgecolor": "black"}
        if num_params == 0 and position and shape == shapes[position - 1]:
            look = {"facecolor": "white", "edgecolor": GREY, "linestyle": "--"}
        if len(shape) == 3:
            _draw_map(ax, (center, middle), shape, highest, **look)
        else:
            _draw_bar(ax, (center, middle), 0.9 * TALLEST * math.log2(1 + shape[0]) / longest, **look)
        _write_column(ax, center, middle, [texts[position][name] for name in rows])
    for first, last in connections:
        _draw_arc(ax, slot * (first + 1.5), slot * (last + 1.5), middle + 0.7, ARC * (last - first))
    ax.set(xlim=(0, width), ylim=(0, num_lines * height), aspect="equal")
    ax.set_title(f"{layers['num_params'].sum():,} parameters", loc="right", pad=0, fontsize=6.5)
    ax.axis("off")
    return ax


def _texts(layers, names, outputs):
    """Return for each layer a dict of the name of a row below it -> text."""
    frozen = layers.get("frozen", [None] * len(layers))
    activations = layers.get("activation", [""] * len(layers))
    return [
        {
            "Layer": f"{layer.repeated} {name}" if layer.repeated > 1 else name,
            "Output": output,
            "": f"×{layer.output_shape[2]}" if len(layer.output_shape) == 3 else "",
            "Activation": activation if activation != "linear" else "",
            "Parameters": f"{layer.num_params:,}" if layer.num_params else "",
            "Weights": ("frozen" if is_frozen else "trained") if layer.num_params else "",
        }
        for layer, name, output, activation, is_frozen in zip(
            layers.itertuples(), names, outputs, activations, frozen, strict=True
        )
    ]


def _layers_per_line(slot, num_layers):
    """Return the number of layers in a line, so that lines are no wider than a page and about equally long."""
    fitting = max(1, math.floor(PAGE / slot) - 1)
    return math.ceil(num_layers / math.ceil(num_layers / fitting))


def _slot_width(outputs, num_params, names):
    texts = ([len(f"{number:,}") for number in num_params], [len(name) for name in names])
    pairs = [pair for lengths in texts for pair in itertools.pairwise(lengths)]
    pairs.append((len("Parameters"), max(texts[0])))  # any layer may be the first of a line, next to the label
    numbers = [DIGIT * (left + right + 1) / 2 for left, right in pairs]  # neighbours, and a space
    return max([SLOT + CHARACTER * max(0, max(map(len, outputs)) - 6), *numbers])


def _map_or_vector_shapes(output_shapes):
    shapes = [tuple(size for size in shape if size is not None) for shape in output_shapes]
    for position, shape in enumerate(shapes):
        if len(shape) not in (1, 3):
            raise ValueError(
                "`layers` must have outputs (height, width, channels) or (units,). "
                f"Received: output_shape={shape} in row {position}"
            )
    return shapes


def _merged(layers):
    """Merge consecutive equal layers with parameters; `repeated` counts them, `num_params` is their sum."""
    kind = layers.columns.intersection(["type", "output_shape", "activation"])
    rows = layers.reset_index(drop=True)
    same = (rows[kind] == rows[kind].shift()).all(axis=1) & (rows["num_params"] > 0)
    sums = {name: "sum" if name in ("num_params", "repeated") else "first" for name in rows}
    return rows.groupby((~same).cumsum()).agg(sums)


def _draw_map(ax, center, shape, highest, *, facecolor, **line):
    rows, columns, channels = shape
    height, depth = TALLEST * rows / highest, DEPTH * columns / highest
    thickness = 0.03 + 0.018 * math.log2(1 + channels)
    x, y = center[0] - (thickness + depth) / 2, center[1] - (height + depth / 2) / 2
    right, top, back, up = x + thickness, y + height, depth, depth / 2
    for corners, shade in (
        ([(x, y), (right, y), (right, top), (x, top)], 1.0),
        ([(x, top), (right, top), (right + back, top + up), (x + back, top + up)], 1.12),
        ([(right, y), (right + back, y + up), (right + back, top + up), (right, top)], 0.85),
    ):
        # White faces are not shaded.
        face = facecolor if facecolor == "white" else [min(1, shade * part) for part in to_rgb(facecolor)]
        ax.add_patch(Polygon(corners, facecolor=face, linewidth=0.5, joinstyle="round", **line))


def _draw_bar(ax, center, height, **look):
    x, y = center[0] - BAR / 2, center[1] - height / 2
    ax.add_patch(Rectangle((x, y), BAR, height, linewidth=0.5, **look))


def _draw_arc(ax, start, end, bottom, height):
    # A quadratic Bézier curve reaches half the height of its control point.
    path = Path([(start, bottom), ((start + end) / 2, bottom + 2 * height), (end, bottom)], [1, 3, 3])
    ax.add_patch(FancyArrowPatch(path=path, arrowstyle="->", mutation_scale=5, linewidth=0.6, color=GREY))


def _write_column(ax, center, middle, texts, color="black"):
    for number, text in enumerate(texts):
        ax.text(center, middle - 0.68 - ROW * (number + 0.5), text, ha="center", va="center", fontsize=6.5, color=color)
