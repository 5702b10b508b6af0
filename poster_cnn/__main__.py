"""`python -m poster_cnn` is `poster-cnn`."""

import sys

from poster_cnn.cli import main

sys.exit(main())
