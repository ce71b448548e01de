"""One package, several processes: `python -m gateway serve | project | migrate | topics | token | parked`."""

import sys
from importlib import import_module


def main() -> None:
    name, arguments = sys.argv[1] if sys.argv[1:] else "", sys.argv[2:]
    if name not in {"serve", "project", "migrate", "topics", "token", "parked"}:
        sys.exit("Usage: python -m gateway serve | project | migrate | topics | token | parked")
    import_module(f"gateway.{name}").main(arguments)


if __name__ == "__main__":
    main()
