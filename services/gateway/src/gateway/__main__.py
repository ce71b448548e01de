"""One package, several processes: `python -m gateway serve | project | migrate | …`."""

import sys
from importlib import import_module

COMMANDS = ("serve", "project", "migrate", "topics", "token", "parked", "rebuild", "republish", "positions")


def main() -> None:
    name, arguments = sys.argv[1] if sys.argv[1:] else "", sys.argv[2:]
    if name not in COMMANDS:
        sys.exit(f"Usage: python -m gateway {' | '.join(COMMANDS)}")
    import_module(f"gateway.{name}").main(arguments)


if __name__ == "__main__":
    main()
