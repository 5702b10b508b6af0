"""The command `poster-cnn`: it parses arguments, calls the library once, and prints the result."""

import argparse
import importlib
import sys
import traceback

import poster_cnn
from poster_cnn.cli import stderr_filter
from poster_cnn.evaluation.terminal import describe_error, process_of_a_command
from poster_cnn.files import safe_output

# Each command has a module here, with `add_arguments` and `run`, which is imported only if the command is called.
_COMMANDS = {
    "reproduce": ("reproduce", "run the notebooks; leave figures, tables and a report"),
    "models": ("models", "list the networks that can be trained"),
    "train": ("train", "train one network on a data folder"),
    "sweep": ("sweep", "train every cell of an experiment's grid"),
    "search": ("sweep", "train random draws of an experiment's space, each on every fold"),
    "evaluate": ("evaluate", "score a finished run on a data folder"),
    "predict": ("predict", "rank the genres of pictures"),
    "demo": ("demo", "open a web page that names the genres of posters"),
    "export": ("export", "write a network as ONNX, LiteRT or SavedModel"),
    "check-claim": ("check_claim", "compare a published score with answers that need no poster"),
    "verify": ("verify", "decode every poster of a folder and report the broken ones"),
    "download": ("download", "fetch posters by their URLs; run again to continue"),
    "audit": ("audit", "find duplicate posters, and splits that leak"),
}


def main(arguments=None):
    """Run one command and return its exit status: 0 for success, 1 for a failure, 130 for an interrupt.

    Args:
        arguments: List of str. Defaults to `None`: those of the process. Wrong usage exits with 2.
    """
    if arguments is None:
        stderr_filter.install()
        arguments = sys.argv[1:]
    with safe_output(), process_of_a_command():
        options = _parser(arguments).parse_args(arguments)
        try:
            status = options.run(options) or 0
            sys.stdout.flush()
            return status
        except Exception as error:
            if options.debug:
                traceback.print_exc()
            from poster_cnn.cli.option_names import name_options

            message = name_options(describe_error(error, options.debug), options.parser, options)
            print(f"poster-cnn: {message}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nposter-cnn: interrupted; start the same command again to continue", file=sys.stderr)
            return 130


def _parser(arguments):
    """Return the parser of all commands; only those that the arguments may call are imported."""
    parser = argparse.ArgumentParser(prog="poster-cnn", description="Predict movie genres from posters.")
    parser.add_argument("--version", action="version", version=f"poster-cnn {poster_cnn.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, about) in _COMMANDS.items():
        command = commands.add_parser(name, help=about)
        if name in arguments:
            command.add_argument("--debug", action="store_true", help="print the traceback of an error")
            module = importlib.import_module(f"poster_cnn.cli.{module}")
            command.set_defaults(run=module.run, parser=command)
            module.add_arguments(command)
    return parser
