"""What each role may do with each table and function is written down: more is a decision, never a slip."""

import os
from pathlib import Path

import asyncpg

KEPT = Path(__file__).with_name("privileges.txt")
ROLES = "viewer operator admin api projector relay reader".split()  # noqa: SIM905 - a list of words
TABLES = """
select c.relname as name, r.role, p.privilege,
       has_table_privilege('clearline_' || r.role, c.oid, p.privilege) as whole,
       case when p.privilege in ('SELECT', 'INSERT', 'UPDATE') then (
         select array_agg(a.attname::text order by a.attname) from pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           and has_column_privilege('clearline_' || r.role, c.oid, a.attnum, p.privilege)) end as columns
from pg_class c
cross join unnest($1::text[]) as r (role)
cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) as p (privilege)
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
"""
FUNCTIONS = """
select p.oid::regprocedure::text as name, r.role
from pg_proc p cross join unnest($1::text[]) as r (role)
where p.pronamespace = 'public'::regnamespace and p.prosecdef
  and has_function_privilege('clearline_' || r.role, p.oid, 'EXECUTE')
"""


async def test_every_privilege_is_written_down(owner: asyncpg.Connection) -> None:
    found = await _privileges(owner)
    if os.environ.get("CLEARLINE_TEST_WRITE"):
        KEPT.write_text(found, encoding="utf-8")
    assert found == KEPT.read_text(encoding="utf-8"), (
        "the privileges changed: look at each, then write them with CLEARLINE_TEST_WRITE=1 pytest " + KEPT.parent.name
    )


async def _privileges(owner: asyncpg.Connection) -> str:
    lines = []
    for row in await owner.fetch(TABLES, ROLES):
        if row["whole"] or row["columns"]:
            columns = "" if row["whole"] else f" ({', '.join(row['columns'])})"
            lines.append(f"{row['name']}: {row['role']} {row['privilege'].lower()}{columns}")
    lines += [f"{row['name']}: {row['role']} execute" for row in await owner.fetch(FUNCTIONS, ROLES)]
    return "\n".join(sorted(lines)) + "\n"
