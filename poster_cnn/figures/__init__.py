"""Figures of the papers, from DataFrame to Axes or Figure. Nothing here trains, loads a model or saves a file."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cards": ["corrected_movie_card", "movie_card", "prediction_card", "prediction_cards"],
        "comparisons": ["claims_dots", "comparison_dots", "errata_dots", "genre_accuracy_dots"],
        "curves": ["accuracy_and_loss", "early_stopping_curve", "learning_curve", "learning_curve_grid"],
        "diagnostics": ["genre_confusion_heatmap", "precision_recall_curve", "reliability_diagram"],
        "evidence": ["encoding_dots", "ladder_scatter", "lettering_dots", "split_strips", "training_size_curves"],
        "explanations": ["explanation_cards", "heat_map"],
        "genres": ["crop_distribution", "genre_cooccurrence_heatmap", "genre_distribution"],
        "images": ["image_grid", "prediction_grid"],
        "modalities": [
            "average_precision_dots",
            "fusion_diagram",
            "genre_average_precision_bars",
            "modality_gains_heatmap",
            "modality_subsets_dots",
        ],
        "network": ["network_diagram"],
        "searches": ["cross_validation_dots", "search_scatter"],
        "style": ["COLUMN_WIDTH", "PAGE_WIDTH", "paper_style"],
    },
)
