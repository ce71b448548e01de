"""`python -m bench [NAME…]`: measure, print a table, write JSON. Fails on an error, never on a slow machine."""

import argparse
import asyncio
import logging
import sys

import structlog
from bench import report
from bench.registry import BENCHMARKS
from bench.servers import Servers, servers

from clearline.chassis.collector import freeze_what_stays
from clearline.chassis.loop_faults import quiet_kafka_client
from clearline.probes.dial import OutboundLoop


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="a tenth of the work: to see that it runs, not to quote")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    with asyncio.Runner(loop_factory=OutboundLoop) as runner:
        runner.run(_measure(options.names or list(BENCHMARKS), 0.1 if options.quick else 1.0))
    return 0


async def _measure(names: list[str], scale: float) -> None:
    quiet_kafka_client(asyncio.get_running_loop())
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # new topics' leaders take a moment
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    async with servers() as running:
        freeze_what_stays()  # as our processes do; the floors gain by it too
        for name in names:
            await _one(name, running, scale)


async def _one(name: str, running: Servers, scale: float) -> None:
    sys.stdout.write(f"\n{name} …\n")
    sys.stdout.flush()
    figures = await BENCHMARKS[name](running, scale)
    sys.stdout.write(report.table(figures))
    if scale == 1.0:
        sys.stdout.write(f"{report.write(name, figures).relative_to(report.ROOT)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
