"""Movie tables, genres, metadata and splits: everything that needs no images."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "table": ["load_movie_table"],
        "tidy": ["TableReport"],
        "genres": ["encode_genres", "genre_cooccurrence", "genre_counts", "merge_genres"],
        "data_folder": ["DataFolder", "find_data_folder"],
    },
)
