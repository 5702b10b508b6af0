"""`poster-cnn models`: list the networks that can be trained."""

from poster_cnn.models.catalog import NETWORKS


def add_arguments(command):
    """Add no argument."""


def run(options):
    """Print the list."""
    print(f"{'--model':28}{'parameters':>12}  input (height×width)")
    for name, (count, (height, width)) in NETWORKS.items():
        print(f"{name:28}{count:12,}  {height}×{width}")
    print(
        "\nkeras:… is a class of keras.applications, counted without the last layer; any other input size is possible."
    )
    print('hub:<preset> is a preset of KerasHub, or a folder that holds one; it needs pip install -e ".[hub]".')
