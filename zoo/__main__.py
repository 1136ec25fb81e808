"""`python -m zoo` is `zoo`. Light: little is imported before Ctrl-C is taken care of."""

import sys

from zoo import interrupts


def main() -> None:
    """Run the command. Ctrl-C ends it with code 130, also while modules are imported."""
    try:
        interrupts.heed()
        from zoo.cli import main as run

        run()
    except KeyboardInterrupt:  # Outside of a verb, which reports it by itself.
        print("zoo: interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
