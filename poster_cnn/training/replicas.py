"""Training on several devices: each batch is divided among them, with the results of one device."""

# `keras.Model.fit` is not used. It averages the devices' means, which is wrong when the last batch is divided
# unequally, and it fails with several hosts (Keras 3.15, keras-team/keras#20585).

import dataclasses
import functools

import keras
import tensorflow as tf

from poster_cnn.datasets.poster_cache import with_options
from poster_cnn.training.build import epoch_metrics


def epoch_function(network, strategy, config):
    """Return a function that trains and validates a network for one epoch on several devices.

    Args:
        network: Compiled `keras.Model` with a built optimizer, made in the scope of `strategy`.
        strategy: `tf.distribute.Strategy` with several devices.
        config: `TrainingConfig`.

    Returns:
        Function from training and validation batches (each a `tf.data.Dataset` of known cardinality, the same on every
        host) to a dict with `loss`, the metrics of `epoch_metrics`, and the same for validation with the prefix `val_`.
    """
    generators = [layer.seed_generator for layer in network.layers if getattr(layer, "seed_generator", None)]
    with strategy.scope():
        counters = _Counters(keras.metrics.Mean(name="loss"), epoch_metrics(config))
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
    """The mean loss of an epoch, a `keras.metrics.Mean`, and a list of `keras.metrics.Metric`."""

    loss: keras.metrics.Mean
    metrics: list

    def reset(self):
        """Reset all metrics."""
        for metric in (self.loss, *self.metrics):
            metric.reset_state()

    def results(self):
        """Return a dict of name -> float, in the order of `fit`."""
        return dict(sorted((metric.name, float(metric.result())) for metric in (self.loss, *self.metrics)))


def _differ(generators):
    """Give each device its own random numbers, so that dropout differs between devices."""
    number = tf.distribute.get_replica_context().replica_id_in_sync_group
    for generator in generators:
        seed, counter = tf.unstack(tf.convert_to_tensor(generator.state))
        generator.state.assign(tf.stack([seed + tf.cast(number, seed.dtype), counter]))


def _mean_loss(network, counters, inputs, labels, count, *, training):
    """Add one device's part of a batch to the metrics with the weight of `count` rows, and return its mean loss."""
    outputs = network(inputs, training=training)
    loss = network.compute_loss(inputs, labels, outputs, training=training)
    # Keras has divided the loss by the number of devices.
    loss *= tf.distribute.get_replica_context().num_replicas_in_sync
    counters.loss.update_state(loss, sample_weight=count)
    for metric in counters.metrics:
        weight = count / tf.cast(tf.shape(labels)[0], count.dtype)
        metric.update_state(labels, outputs, sample_weight=tf.fill(tf.shape(labels)[:1], weight))
    return loss


def _train_step(network, counters, inputs, labels, count):
    """Apply one device's part of a training step, weighted by its share of the batch."""
    count = tf.identity(count)  # on this device, which several hosts need for the sum
    share = count / tf.distribute.get_replica_context().all_reduce("SUM", count)
    with tf.GradientTape() as tape:
        loss = _mean_loss(network, counters, inputs, labels, count, training=True) * share
    variables = network.trainable_variables
    network.optimizer.apply(tape.gradient(loss, variables), variables)  # sums the gradients of all devices


def _steps_of(step, strategy):
    """Return a function that takes a number of steps on all devices in one call."""

    @tf.function
    def take_steps(iterator, num_steps):
        for _ in tf.range(num_steps):
            strategy.run(step, args=next(iterator))

    return take_steps


def _run(take_steps, batches, steps_per_execution, strategy, counters):
    """Go through the batches once and return the metrics."""
    counters.reset()
    num_steps, iterator = int(batches.cardinality()), iter(_parts(strategy, batches))
    for start in range(0, num_steps, steps_per_execution):
        take_steps(iterator, tf.constant(min(steps_per_execution, num_steps - start)))
    return counters.results()


def _synchronize_statistics(network):
    """Let batch normalization use the statistics of whole batches."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            _synchronize_statistics(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def _parts(strategy, batches):
    """Divide each batch among the devices, as inputs, labels and the number of rows; each host reads all batches."""
    return strategy.distribute_datasets_from_function(functools.partial(_parts_of_host, batches))


def _parts_of_host(batches, context):
    """Return the parts of one host's devices; `context` is a `tf.distribute.InputContext`."""
    total = context.num_replicas_in_sync
    local = total // context.num_input_pipelines
    first = context.input_pipeline_id * local
    cut = functools.partial(_cut, range(first, first + local), total)
    return with_options(batches.flat_map(cut).prefetch(2 * local))


def _cut(numbers, total, inputs, labels):
    """Return a `tf.data.Dataset` of the parts with these numbers, out of `total` parts of a batch.

    If a batch has fewer rows than devices, each device gets the whole batch with a fraction of its weight, because
    layers cannot compute empty batches and padding would change batch normalization.
    """
    count = tf.shape(labels, out_type="int64")[0]

    def part(number):
        if count < total:
            return inputs, labels, tf.cast(count, "float32") / total
        start, stop = number * count // total, (number + 1) * count // total
        return inputs[start:stop], labels[start:stop], tf.cast(stop - start, "float32")

    return tf.data.Dataset.range(numbers.start, numbers.stop).map(part)
