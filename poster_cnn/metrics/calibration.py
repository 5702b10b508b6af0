"""Temperature scaling of probabilities, and the expected calibration error (Guo et al., 2017)."""

import dataclasses
import numbers

import numpy as np

from poster_cnn.metrics import arguments

ACTIVATIONS = ("sigmoid", "softmax")
_RANGE = np.log((0.05, 20.0))  # of temperatures, for genres that the network separates perfectly or not at all
_NUM_FOLDS = 5  # of the validation movies
_NUM_BINS = 15
_TINY = 1e-12  # probabilities of exactly 0 or 1 have no finite logit


@dataclasses.dataclass(frozen=True)
class Calibration:
    """Temperatures that divide the logits of a network, stored in a saved model.

    Calibrated probabilities grow with the original ones. Thresholds are mapped by the same function, so the predicted
    genres stay the same. Temperatures far below 1 round different high probabilities to 1; `predict` then decides by
    the original ones.

    Args:
        temperatures: One positive number for all genres, or one for each genre of a sigmoid network, in label order.
            1 changes nothing, and larger temperatures move probabilities towards 0.5.
        activation: `"sigmoid"` or `"softmax"`, the activation of the last layer.
    """

    temperatures: tuple
    activation: str = "sigmoid"

    def __post_init__(self):
        expected = "positive numbers, one for all genres or one for each"
        found = arguments.sequence("temperatures", self.temperatures, expected, numbers.Real)
        if not found or not all(0 < t < np.inf and not isinstance(t, bool) for t in found):
            arguments.refuse("temperatures", expected, found)
        object.__setattr__(self, "temperatures", tuple(map(float, found)))
        arguments.choice(*ACTIVATIONS)("activation", self.activation)
        if self.activation == "softmax" and len(found) > 1:
            arguments.refuse("temperatures", "one number for a softmax, whose first genre would change", found)

    @classmethod
    def from_dict(cls, content, num_classes):
        """Return the calibration in a dict from `to_dict`, or `None` for `None`.

        Args:
            content: Dict with `temperatures` and `activation`, or `None`.
            num_classes: Number of genres of the network.

        Raises:
            ValueError: If the dict holds no calibration of so many genres.
        """
        if content is None:
            return None
        if not isinstance(content, dict) or not {"temperatures"} <= set(content) <= {"temperatures", "activation"}:
            arguments.refuse("calibration", "a dict with `temperatures` and `activation`", content)
        found = cls(**content)
        if len(found.temperatures) not in (1, num_classes):
            expected = f"one number, or one for each of {num_classes} genres"
            arguments.refuse("temperatures", expected, found.temperatures)
        return found

    def to_dict(self):
        """Return the calibration as a dict for JSON."""
        return {"temperatures": list(self.temperatures), "activation": self.activation}

    def probabilities(self, y_prob):
        """Return calibrated probabilities.

        Args:
            y_prob: Probabilities of the network, 0..1, `(num_movies, num_classes)` or `(num_classes,)`.

        Returns:
            float64 array of the same shape.
        """
        y_prob = np.asarray(y_prob, dtype="float64")
        if set(self.temperatures) == {1.0}:
            return y_prob
        scaled = _logits(y_prob, self.activation) / np.array(self.temperatures)
        if self.activation == "softmax":
            scaled = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
            return scaled / scaled.sum(axis=-1, keepdims=True)
        return 1 / (1 + np.exp(-scaled))

    def thresholds(self, thresholds):
        """Return the thresholds of calibrated probabilities that predict the same genres as the given ones do.

        Args:
            thresholds: Array `(num_classes,)` of thresholds of a sigmoid network, 0..1, or `None`.

        Returns:
            float64 array, or `None` without thresholds.
        """
        if thresholds is None or self.activation == "softmax":  # the genres of a softmax are only ranked
            return None if thresholds is None else np.asarray(thresholds, dtype="float64")
        return self.probabilities(thresholds)


def _logits(y_prob, activation):
    clipped = np.clip(y_prob, _TINY, 1 - _TINY)
    return np.log(clipped) - np.log1p(-clipped) if activation == "sigmoid" else np.log(np.maximum(y_prob, _TINY))


def choose_calibration(y_true, y_prob, *, activation="sigmoid", groups=None):
    """Choose no calibration, one temperature for all genres, or one for each, by cross-validation.

    Each fifth of the movies is held out in turn, and the choice with the lowest log loss on held-out movies is fitted
    to all of them. The simpler one wins a tie. Pass movies that the network was neither trained nor tested on, such as
    the validation movies. A softmax gets one temperature at most, because several could change its first genre.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, 0..1.
        activation: `"sigmoid"` or `"softmax"`, the activation of the last layer. Defaults to `"sigmoid"`.
        groups: Sequence with the movie of each row; rows of one movie stay in one fold. Defaults to `None`: each row
            is another movie.

    Returns:
        `(calibration, log_loss)`: a `Calibration`, and a dict of `"none"`, `"one"` and `"genre"` -> held-out log loss.
        With fewer than ten movies there is no calibration, and the dict is empty.

    Raises:
        ValueError: If the arrays cannot be scored, or `activation` is unknown.
    """
    from sklearn.model_selection import GroupKFold

    y_true, y_prob = _checked(y_true, y_prob, activation)
    groups = np.arange(len(y_true)) if groups is None else np.asarray(groups)
    none = Calibration((1.0,), activation)
    if len(set(groups.tolist())) < 2 * _NUM_FOLDS:
        return none, {}
    ways = {"none": lambda *_: none, "one": _fit_one}
    if activation == "sigmoid" and y_true.shape[1] > 1:
        ways["genre"] = _fit_each
    losses = dict.fromkeys(ways, 0.0)
    for learned, held_out in GroupKFold(_NUM_FOLDS).split(y_true, groups=groups):
        for name, fit in ways.items():
            fitted = fit(y_true[learned], y_prob[learned], activation)
            loss = _log_loss(y_true[held_out], y_prob[held_out], fitted.temperatures, activation)
            losses[name] += loss * len(held_out) / len(y_true)
    best = min(ways, key=lambda name: round(losses[name], 9))
    return ways[best](y_true, y_prob, activation), losses


def _fit_one(y_true, y_prob, activation):
    return Calibration((_best_temperature(y_true, y_prob, activation),), activation)


def _fit_each(y_true, y_prob, activation):
    shared = _best_temperature(y_true, y_prob, activation)
    columns = [slice(number, number + 1) for number in range(y_true.shape[1])]
    return Calibration(
        tuple(
            _best_temperature(y_true[:, column], y_prob[:, column], activation)
            if 0 < y_true[:, column].sum() < len(y_true)
            else shared  # a genre without movies has no temperature
            for column in columns
        ),
        activation,
    )


def _best_temperature(y_true, y_prob, activation):
    from scipy.optimize import minimize_scalar

    def loss(log_temperature):
        return _log_loss(y_true, y_prob, (np.exp(log_temperature),), activation)

    return float(np.exp(minimize_scalar(loss, bounds=_RANGE, method="bounded", options={"xatol": 1e-6}).x))


def _log_loss(y_true, y_prob, temperatures, activation):
    logits = _logits(y_prob, activation) / np.array(temperatures)
    if activation == "sigmoid":
        return float(np.mean(np.logaddexp(0, logits) - y_true * logits))
    normalized = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    return float(-np.mean((_targets(y_true, activation) * normalized).sum(axis=1)))


def _targets(y_true, activation):
    """Return what probabilities are compared with: labels, or shares that sum to 1 as the outputs of a softmax do."""
    return y_true if activation == "sigmoid" else y_true / np.maximum(y_true.sum(axis=1, keepdims=True), 1)


def _checked(y_true, y_prob, activation):
    from poster_cnn.metrics.scores import (
        check_arrays,  # imports scikit-learn, which applying a calibration does not need
    )

    arguments.choice(*ACTIVATIONS)("activation", activation)
    y_true, y_prob = (array.astype("float64") for array in check_arrays(y_true, y_prob))
    if not ((y_prob >= 0) & (y_prob < 1 + 1e-6)).all():  # a softmax in float32 can exceed 1 by a rounding error
        raise ValueError(f"`y_prob` must be probabilities, 0..1. Received: {y_prob.min()} to {y_prob.max()}")
    return y_true, np.minimum(y_prob, 1)


@arguments.checked(num_bins=arguments.count)
def reliability(y_true, y_prob, *, activation="sigmoid", num_bins=_NUM_BINS):
    """Compare predicted probabilities with observed frequencies, in bins of equal width.

    For a sigmoid network, each genre of each movie is a prediction of its own. For a softmax, only the first genre of
    each movie is, and one of a movie's n genres counts as 1/n correct, because the probabilities of all genres sum
    to 1.

    Args:
        y_true: Zeros and ones `(num_movies, num_classes)`.
        y_prob: Probabilities `(num_movies, num_classes)`, 0..1.
        activation: `"sigmoid"` or `"softmax"`, the activation of the last layer. Defaults to `"sigmoid"`.
        num_bins: Defaults to 15.

    Returns:
        Dict of arrays `(num_bins,)`: `count` (predictions in the bin), `confidence` (their mean probability) and
        `frequency` (share that is correct). The latter two are NaN in an empty bin.
    """
    y_true, y_prob = _checked(y_true, y_prob, activation)
    confidence, correct = y_prob.ravel(), y_true.ravel()
    if activation == "softmax":
        first = y_prob.argmax(axis=1)[:, None]
        confidence, correct = (
            np.take_along_axis(array, first, axis=1).ravel() for array in (y_prob, _targets(y_true, activation))
        )
    bins = np.clip(np.ceil(confidence * num_bins).astype(int) - 1, 0, num_bins - 1)  # (0, 1/15], (1/15, 2/15] …
    count = np.bincount(bins, minlength=num_bins)
    sums = (np.bincount(bins, weights=array, minlength=num_bins) for array in (confidence, correct))
    means = [np.divide(total, count, out=np.full(num_bins, np.nan), where=count > 0) for total in sums]
    return {"count": count, "confidence": means[0], "frequency": means[1]}


def expected_calibration_error(y_true, y_prob, *, activation="sigmoid", num_bins=_NUM_BINS):
    """Return the mean difference between probabilities and frequencies, weighted by the predictions of each bin.

    The arguments are those of `reliability`.

    Returns:
        Float, 0..1; 0 is perfect.

    Example:

    >>> expected_calibration_error([[1], [0]], [[0.9], [0.9]])
    0.4
    """
    found = reliability(y_true, y_prob, activation=activation, num_bins=num_bins)
    gaps = np.nan_to_num(np.abs(found["confidence"] - found["frequency"]))
    return float((gaps * found["count"]).sum() / found["count"].sum())
