"""`poster-cnn reproduce`: run the notebooks and write a report."""

from poster_cnn.evaluation.terminal import print_failures
from poster_cnn.training.config import PRECISIONS


def add_arguments(command):
    """Add the arguments of the command to its parser."""
    command.add_argument("--data", help="data folder (default: $POSTER_CNN_DATA, else the embedded dataset)")
    command.add_argument("--preset", help="quick, paper or results (default: $POSTER_CNN_PRESET, else quick)")
    command.add_argument("--precision", choices=PRECISIONS, help="of all trainings (default: as the experiments say)")
    command.add_argument("--only", help="notebooks to run, by the start of their names: 02, or 01,03 (default: all)")
    command.add_argument("--out", help="folder to write (default: $POSTER_CNN_OUT, else reproduced/)")


def run(options):
    """Run the notebooks, and return the exit status."""
    from poster_cnn.reproduce import reproduce

    return print_failures(
        reproduce(**{name: getattr(options, name) for name in ("preset", "data", "out", "precision", "only")})
    )
