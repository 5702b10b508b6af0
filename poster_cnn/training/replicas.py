"""Training on several devices at once: each batch is cut into a part for each, with the numbers of one device."""

# Not by `fit`. It takes the mean of the devices' means, and a last, smaller batch is cut into unequal parts; and with
# several hosts it fails (Keras 3.15, keras-team/keras#20585).

import dataclasses
import functools

import keras
import tensorflow as tf

from poster_cnn.datasets.poster_cache import with_options
from poster_cnn.training.build import epoch_metrics


def epoch_function(network, strategy, config):
    """Makes a function that trains and validates a network for an epoch, as `keras.Model.fit` does on one device.

    Args:
        network: Compiled `keras.Model`, its optimizer built, all in the scope of `strategy`.
        strategy: `tf.distribute.Strategy` of several devices.
        config: `TrainingConfig`.

    Returns:
        Function of training batches, validation batches (each a `tf.data.Dataset` of known cardinality, the same on
        every host) that gives a dict: `loss`, the metrics of `epoch_metrics`, and the same of validation with `val_`.
    """
    generators = [layer.seed_generator for layer in network.layers if getattr(layer, "seed_generator", None)]
    with strategy.scope():
        counters = _Counters(keras.metrics.Mean(name="loss"), epoch_metrics(config))
        counters.build(network.output_shape[-1])
    _synchronize_statistics(network)
    train_steps = _steps_of(functools.partial(_train_step, network, counters), strategy)
    validation_steps = _steps_of(functools.partial(_mean_loss, network, counters, training=False), strategy)

    def run_epoch(train, validation):
        strategy.run(_differ, args=(generators,))
        logs = _run(train_steps, train, network.steps_per_execution, strategy, counters)
        held_out = _run(validation_steps, validation, network.steps_per_execution, strategy, counters)
        return logs | {f"val_{name}": value for name, value in held_out.items()}

    return run_epoch


@dataclasses.dataclass(frozen=True)
class _Counters:
    """What is counted over an epoch: the mean loss, a `keras.metrics.Mean`, and a list of `keras.metrics.Metric`."""

    loss: keras.metrics.Mean
    metrics: list

    def build(self, num_classes):
        """Makes the variables of all metrics; those of some cannot be made while devices compute."""
        nothing = tf.zeros((1, num_classes))
        for metric in self.metrics:
            if isinstance(metric, keras.metrics.F1Score):
                metric.update_state(nothing, nothing)

    def reset(self):
        """Counts from nothing."""
        for metric in (self.loss, *self.metrics):
            metric.reset_state()

    def results(self):
        """dict of name -> float, in the order of `fit`."""
        return dict(sorted((metric.name, float(metric.result())) for metric in (self.loss, *self.metrics)))


def _differ(generators):
    """Gives this device other random numbers than the others; without it, all would drop the same units."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    for generator in generators:
        seed, counter = tf.unstack(tf.convert_to_tensor(generator.state))
        generator.state.assign(tf.stack([seed + tf.cast(number, seed.dtype), counter]))


def _mean_loss(network, counters, inputs, labels, count, *, training):
    """Counts one device's part of a batch, whose rows count as much as `count` rows; gives its mean loss."""
    outputs = network(inputs, training=training)
    loss = network.compute_loss(inputs, labels, outputs, training=training)
    # Keras has divided it by the number of devices, to be summed.
    loss *= tf.distribute.get_replica_context().num_replicas_in_sync
    counters.loss.update_state(loss, sample_weight=count)
    for metric in counters.metrics:
        weight = count / tf.cast(tf.shape(labels)[0], count.dtype)
        metric.update_state(labels, outputs, sample_weight=tf.fill(tf.shape(labels)[:1], weight))
    return loss


def _train_step(network, counters, inputs, labels, count):
    """One device's part of a training step: its gradients weigh as much as its share of the batch."""
    count = tf.identity(count)  # on this device: several hosts cannot sum what is elsewhere
    share = count / tf.distribute.get_replica_context().all_reduce("SUM", count)
    with tf.GradientTape() as tape:
        loss = _mean_loss(network, counters, inputs, labels, count, training=True) * share
    variables = network.trainable_variables
    network.optimizer.apply(tape.gradient(loss, variables), variables)  # it sums those of all devices


def _steps_of(step, strategy):
    """Function of an iterator of parts and a number of steps, which takes so many on all devices in one call."""

    @tf.function
    def take_steps(iterator, num_steps):
        for _ in tf.range(num_steps):
            strategy.run(step, args=next(iterator))

    return take_steps


def _run(take_steps, batches, steps_per_execution, strategy, counters):
    """Goes through batches once; gives what was counted, a dict."""
    counters.reset()
    num_steps, iterator = int(batches.cardinality()), iter(_parts(strategy, batches))
    for start in range(0, num_steps, steps_per_execution):
        take_steps(iterator, tf.constant(min(steps_per_execution, num_steps - start)))
    return counters.results()


def _synchronize_statistics(network):
    """Lets batch normalization look at whole batches, not at the part of a device."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            _synchronize_statistics(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def _parts(strategy, batches):
    """Each batch cut into a part for each device: inputs, labels, and how many of them count.

    Of several hosts, each reads all batches and keeps its own parts.
    """
    return strategy.distribute_datasets_from_function(functools.partial(_parts_of_host, batches))


def _parts_of_host(batches, context):
    """The parts of one host's devices, one after the other; `context` is a `tf.distribute.InputContext`."""
    total = context.num_replicas_in_sync
    local = total // context.num_input_pipelines
    first = context.input_pipeline_id * local
    cut = functools.partial(_cut, range(first, first + local), total)
    return with_options(batches.flat_map(cut).prefetch(2 * local))


def _cut(numbers, total, inputs, labels):
    """`tf.data.Dataset` of the parts with these numbers, of `total` into which a batch is cut.

    Where a batch is smaller than the number of devices, each sees the whole of it, and it counts for a part of itself:
    layers cannot compute nothing, and batch normalization would see rows that are not there.
    """
    count = tf.shape(labels, out_type="int64")[0]

    def part(number):
        if count < total:
            return inputs, labels, tf.cast(count, "float32") / total
        start, stop = number * count // total, (number + 1) * count // total
        return inputs[start:stop], labels[start:stop], tf.cast(stop - start, "float32")

    return tf.data.Dataset.range(numbers.start, numbers.stop).map(part)
