"""Builders for the networks of the papers: uncompiled `keras.Model`s that take raw 0–255 pixels."""

from poster_cnn.models.layer_table import layer_table
from poster_cnn.models.small_cnn import seven_layer_cnn

__all__ = ["layer_table", "seven_layer_cnn"]
