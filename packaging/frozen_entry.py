"""The first script of an installed build: the same entry as everywhere."""

import sys

from app.__main__ import main

sys.exit(main())
