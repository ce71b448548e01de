"""The gateway's named SQL: every statement lies in a `.sql` file beside this one and is read once."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    """The statement in `<name>.sql`. Raises FileNotFoundError for a name that does not exist."""
    return files("gateway.read_model").joinpath(f"{name}.sql").read_text(encoding="utf-8")
