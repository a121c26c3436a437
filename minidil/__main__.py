"""`python -m minidil` is `minidil`."""

import sys

from minidil.cli import main

if __name__ == "__main__":
    sys.exit(main())
