"""Secrets that stand in a file itself: they work, and whoever reads the file is warned of them."""

from collections.abc import Iterator, Sequence

from clearline.cli.declared.declaration import Declared


def secrets_written_out(items: Sequence[Declared]) -> Iterator[str]:
    """A sentence for each, without the secret."""
    for item in items:
        for name, source in item.credentials.items():
            if source is not None and source.written_out:
                place = item.fault(f"/credentials/{name}", "", "").place
                told = f"the secret {name} stands in the file itself; write ${{env:NAME}} or ${{file:PATH}}."
                yield f"{place} {item.label}: {told}"
