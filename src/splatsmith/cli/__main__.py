"""`python -m splatsmith.cli` is the same as `splatsmith`."""

import sys

from splatsmith.cli.main import main

sys.exit(main())
