"""Every benchmark by its name: `make bench-NAME`."""

from collections.abc import Awaitable, Callable, Mapping

from bench.accepting import accepting
from bench.committing import committing
from bench.consuming import consuming
from bench.measuring import Figure
from bench.projecting import projecting_batches
from bench.rebuilding import rebuilding
from bench.relaying import relaying
from bench.row_security import row_security
from bench.servers import Servers
from bench.starting import starting
from bench.tracing_cost import tracing_cost
from bench.visible import visible

Benchmark = Callable[[Servers, float], Awaitable[list[Figure]]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "consuming": consuming,
    "projecting": projecting_batches,
    "rebuilding": rebuilding,
    "accepting": accepting,
    "relaying": relaying,
    "visible": visible,
    "committing": committing,
    "row-security": row_security,
    "tracing": tracing_cost,
    "starting": starting,
}
