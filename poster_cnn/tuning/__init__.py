import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "experiment": ["Experiment", "load_experiment"],
        "random_search": ["best_draw", "rank_draws"],
        "sweep": ["Shared"],
    },
)
