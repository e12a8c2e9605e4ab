"""Entry of the program: worker processes first, then a window or the command line. Qt is imported only for a window."""

from __future__ import annotations

import sys


def use_add_ons() -> None:
    """Let what lies in a frozen build's ``addons`` folders be imported, in worker processes too."""
    if getattr(sys, "frozen", False):
        from engine.core.paths import add_ons

        sys.path.extend(str(folder) for folder in add_ons())


def main() -> int:
    """Run the program with the process's arguments and return its exit status."""
    use_add_ons()
    if getattr(sys, "frozen", False):
        import multiprocessing

        # In a frozen build a worker process is this same program: it must not get further than here.
        multiprocessing.freeze_support()
    from app.entry import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
