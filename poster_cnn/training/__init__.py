import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config": ["TrainingConfig"],
        "data": ["TrainingData", "load_frequent_genres", "load_training_data"],
        "build": ["build_model"],
        "continuation": ["continue_run"],
        "run_folder": ["is_finished", "recorded_config"],
        "saved_model": ["load_model", "save_model"],
    },
)
