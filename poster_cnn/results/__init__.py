import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "collect": [
            "collect_results",
            "collect_history",
            "read_results",
            "read_predictions",
            "read_published",
            "write_results",
            "stack",
            "genres_of",
            "prediction_arrays",
        ],
        "pages": ["update_pages"],
    },
)
