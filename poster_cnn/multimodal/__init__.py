import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["EnsembleConfig"],
        "data": ["EnsembleData", "load_ensemble_data"],
        "train": ["train_ensemble"],
    },
)
