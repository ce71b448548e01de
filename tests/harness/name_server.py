"""A real name server (NSD) with a small zone: what a test asks of it, it answers as on the internet."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.harness.places import free_ports
from tests.harness.process import ServerProcess
from tests.harness.programs import program
from tests.harness.reaching import accepts

ZONE = "clearline.test"
SILENT_MASTER = 1
"""A port where nobody is: what NSD should copy from there it never gets, and answers SERVFAIL."""

_RECORDS = """
$TTL 300
@        SOA ns1 hostmaster 1 3600 600 86400 60
@        NS  ns1
@        MX  10 mail
@        MX  20 Mail2
@        TXT "v=spf1 mx " "-all"
@        CAA 0 issue "ca.example"
ns1      A   127.0.0.1
mail     A   192.0.2.25
www      A   192.0.2.10
www      A   192.0.2.11
www      AAAA 2001:db8::10
shop     CNAME www
outside  CNAME www.example.com.
ring     CNAME ring2
ring2    CNAME ring
_sip._tcp SRV 10 5 5060 www
sub      NS  ns.sub
ns.sub   A   192.0.2.53
"""
_WIDE = "\n".join(f'wide TXT "{number:03d} {"x" * 200}"' for number in range(40))
"""8 KiB under one name: more than any datagram of ours holds."""

_CONFIG = """
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    database: ""
    pidfile: ""
    zonesdir: "{folder}"
    xfrdir: "{folder}"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: {zone}
    zonefile: {zone}.zone
zone:
    name: 2.0.192.in-addr.arpa
    zonefile: reverse.zone
zone:
    name: broken.test
    request-xfr: 127.0.0.1@{master} NOKEY
"""


@asynccontextmanager
async def name_server(folder: Path) -> AsyncIterator[int]:
    """Its port on 127.0.0.1, UDP and TCP. Skips the test where NSD is absent; in CI that is a failure."""
    nsd = program("nsd", package="nsd")
    (port,) = free_ports(1)
    (folder / "nsd.conf").write_text(_CONFIG.format(port=port, folder=folder, zone=ZONE, master=SILENT_MASTER))
    (folder / f"{ZONE}.zone").write_text(f"$ORIGIN {ZONE}.\n{_RECORDS}{_WIDE}\n")
    reverse = f"$ORIGIN 2.0.192.in-addr.arpa.\n$TTL 300\n@ SOA ns1.{ZONE}. h.{ZONE}. 1 1 1 1 1\n10 PTR www.{ZONE}.\n"
    (folder / "reverse.zone").write_text(reverse)
    server = ServerProcess(
        "nsd", [nsd, "-d", "-c", str(folder / "nsd.conf")], {}, folder / "nsd.log", lambda: accepts(port)
    )
    await server.start()
    try:
        yield port
    finally:
        await server.stop()
