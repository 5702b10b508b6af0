"""The papers' figures: DataFrame in, Axes or Figure out. Nothing here loads a model, trains or saves a file."""

from poster_cnn.figures.cards import corrected_movie_card, movie_card, prediction_card, prediction_cards
from poster_cnn.figures.comparisons import comparison_dots, errata_dots, genre_accuracy_dots
from poster_cnn.figures.curves import accuracy_and_loss, early_stopping_curve, learning_curve, learning_curve_grid
from poster_cnn.figures.genres import crop_distribution, genre_cooccurrence_heatmap, genre_distribution
from poster_cnn.figures.images import image_grid, prediction_grid
from poster_cnn.figures.modalities import (
    average_precision_dots,
    fusion_diagram,
    genre_average_precision_bars,
    modality_gains_heatmap,
    modality_subsets_dots,
)
from poster_cnn.figures.network import network_diagram
from poster_cnn.figures.searches import cross_validation_dots, search_scatter
from poster_cnn.figures.style import COLUMN_WIDTH, PAGE_WIDTH, paper_style

__all__ = [
    "COLUMN_WIDTH",
    "PAGE_WIDTH",
    "accuracy_and_loss",
    "average_precision_dots",
    "comparison_dots",
    "corrected_movie_card",
    "crop_distribution",
    "cross_validation_dots",
    "early_stopping_curve",
    "errata_dots",
    "fusion_diagram",
    "genre_accuracy_dots",
    "genre_average_precision_bars",
    "genre_cooccurrence_heatmap",
    "genre_distribution",
    "image_grid",
    "learning_curve",
    "learning_curve_grid",
    "modality_gains_heatmap",
    "modality_subsets_dots",
    "movie_card",
    "network_diagram",
    "paper_style",
    "prediction_card",
    "prediction_cards",
    "prediction_grid",
    "search_scatter",
]
