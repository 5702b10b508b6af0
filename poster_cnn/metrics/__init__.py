import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "scores": [
            "LOGIT_HALF",
            "first_label_accuracy",
            "hit_at_1",
            "top_n_accuracy",
            "overall_precision_recall_f1",
            "average_precision",
            "label_accuracy",
            "overall_f1",
            "top_n_accuracy_by_genre",
            "BY_NAME",
            "EVERYDAY",
            "OF_ONE_GENRE",
            "check_names",
            "values",
        ],
        "calibration": ["Calibration", "choose_calibration", "expected_calibration_error", "reliability"],
        "paired": ["baseline_margins", "holm", "margins"],
        "intervals": ["bootstrap_interval", "paired_difference_interval", "score"],
        "thresholds": ["best_thresholds", "held_out_predictions"],
    },
)
