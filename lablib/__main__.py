"""`python -m lablib` is `lablib`."""

from lablib.cli import main

raise SystemExit(main())
