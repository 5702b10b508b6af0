import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "pipeline": ["poster_dataset", "decoded_posters", "as_batches", "epoch_batches", "epoch_seed"],
        "poster_cache": ["with_options"],
        "crops": ["POSTER_SIZE", "shrunk_size"],
        "verify": ["check_posters", "describe"],
        "download": ["sample_posters"],
        "embedded.dataset": ["embedded_dataset"],
    },
)
