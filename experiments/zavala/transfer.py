"""Paper 3, Table 1 and Fig. 6: a frozen MobileNetV2 at three learning rates (Zavala et al., sections I.B and II.A).

    poster-cnn sweep experiments/zavala/transfer.py --data DATA --out runs/zavala_transfer

Expected with the paper preset on 5,600 rows: about a minute on 2 CPU cores, most of it for looking at each poster once;
about 30% validation and test accuracy in the paper. Without a network, put the ImageNet weights into the data folder as
`mobilenet_v2_<anything>.h5`. The quick preset starts from the weights that come with the package, which have seen real
posters but none of the embedded ones, and scales pixels as these weights expect.
"""

from poster_cnn.training.config import TrainingConfig

config = TrainingConfig(
    experiment="zavala_transfer",
    variant="faithful",
    class_names=("Action", "Crime", "Documentary", "Drama", "Horror", "Comedy"),  # Table 5, in its order
    one_row_per_genre=True,  # section I.A: movies with several genres are split into several rows
    max_per_genre=1000,  # section I.A, Fig. 3: a flatter distribution; the paper's 449 steps make about 4,000 a genre
    split="stratified",  # section I.A: rows, after they were made, so one movie lands on several sides
    fractions=(0.6, 0.2, 0.2),  # section I.A
    allow_leak=True,
    image_size=(128, 128),  # Fig. 5
    model="mobilenet_v2",
    model_args={"weights": "imagenet", "pixel_range": (0, 1)},  # section I.A, although the weights expect -1 to 1
    loss="sparse_categorical_crossentropy",  # Fig. 4: integer labels
    batch_size=32,  # Table 1; its 449 steps an epoch are its 14,368 training rows, ours have 105
    validation_steps=20,  # Table 1: of the first 640 rows; here, in the table's order, those of the oldest movies
    epochs=20,  # section II.A
    metrics=("first_label_accuracy",),
)
grid = {"learning_rate": (1e-2, 1e-3, 1e-4)}  # Table 1

_shipped = {"weights": "posters"}
quick_config = {"model_args": _shipped, "image_size": (96, 64), "max_per_genre": 60, "epochs": 10}
quick_grid = {"learning_rate": (1e-2, 1e-3)}
