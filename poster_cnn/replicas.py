"""Training on several devices at once: each batch is cut into a part for each, with the numbers of one device."""

# Not by `fit`. It takes the mean of the devices' means, and a last, smaller batch is cut into unequal parts; and with
# several hosts it fails (Keras 3.15, keras-team/keras#20585).

import keras
import tensorflow as tf

from poster_cnn.datasets import with_options
from poster_cnn.epoch_metrics import epoch_metrics


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
    with strategy.scope():
        loss_mean, metrics = keras.metrics.Mean(name="loss"), epoch_metrics(config)
        nothing = tf.zeros((1, network.output_shape[-1]))
        for metric in metrics:
            if isinstance(metric, keras.metrics.F1Score):  # its variables cannot be made while devices compute
                metric.update_state(nothing, nothing)
        _synchronize_statistics(network)

    def mean_loss(inputs, labels, count, training):
        outputs = network(inputs, training=training)
        # Keras has divided it by the number of devices, to be summed.
        loss = network.compute_loss(inputs, labels, outputs, training=training) * strategy.num_replicas_in_sync
        loss_mean.update_state(loss, sample_weight=count)
        for metric in metrics:
            metric.update_state(labels, outputs, sample_weight=tf.fill(tf.shape(labels)[:1], tf.minimum(count, 1)))
        return loss

    def train_step(inputs, labels, count):
        count = tf.identity(count)  # on this device: several hosts cannot sum what is elsewhere
        share = count / tf.distribute.get_replica_context().all_reduce("SUM", count)  # of the whole batch
        with tf.GradientTape() as tape:
            loss = mean_loss(inputs, labels, count, training=True) * share
        variables = network.trainable_variables
        network.optimizer.apply(tape.gradient(loss, variables), variables)  # it sums those of all devices

    def validation_step(inputs, labels, count):
        mean_loss(inputs, labels, count, training=False)

    def steps_of(step):
        @tf.function
        def take_steps(iterator, count):
            for _ in tf.range(count):
                strategy.run(step, args=next(iterator))

        return take_steps

    take = {"": steps_of(train_step), "val_": steps_of(validation_step)}

    def run_epoch(train, validation):
        logs = {}
        for prefix, batches in (("", train), ("val_", validation)):
            for metric in (loss_mean, *metrics):
                metric.reset_state()
            num_steps = int(batches.cardinality())
            iterator = iter(_parts(strategy, batches))
            for start in range(0, num_steps, network.steps_per_execution):
                take[prefix](iterator, tf.constant(min(network.steps_per_execution, num_steps - start)))
            results = {prefix + metric.name: float(metric.result()) for metric in (loss_mean, *metrics)}
            logs |= dict(sorted(results.items()))  # in the order of `fit`
        return logs

    return run_epoch


def _synchronize_statistics(network):
    """Lets batch normalization look at whole batches, not at the part of a device."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            _synchronize_statistics(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


def _parts(strategy, batches):
    """Each batch cut into a part for each device: inputs, labels, and how many of them count.

    Of several hosts, each reads all batches and keeps its own parts. Where a batch is smaller than the number of
    devices, those without a part see a row that does not count, as some layers cannot compute nothing.
    """

    def of_host(context):
        total = context.num_replicas_in_sync
        local = total // context.num_input_pipelines
        first = context.input_pipeline_id * local

        def cut(inputs, labels):
            count = tf.shape(labels, out_type="int64")[0]

            def part(number):
                start, stop = number * count // total, (number + 1) * count // total
                rows = slice(start, tf.maximum(stop, start + 1))
                return inputs[rows], labels[rows], tf.cast(stop - start, "float32")

            return tf.data.Dataset.range(first, first + local).map(part)

        return with_options(batches.flat_map(cut).prefetch(2 * local))

    return strategy.distribute_datasets_from_function(of_host)
