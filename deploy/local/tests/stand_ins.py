"""A record of small stand-in processes, and a supervisor over them as a process of its own that a test may kill."""

import os
import signal
import sys
from pathlib import Path

from deploy.local.places import Places
from deploy.local.processes import Process, Service, Step
from deploy.local.readiness import HttpAnswers
from deploy.local.state import Identity
from deploy.local.supervisor import supervise

# Answers 200 on its port, or 503 with what lies in NOTES.refusal; notes the start and the signal that ends it.
_SERVER = """
import http.server, os, signal, sys
name, port, notes = sys.argv[1], int(sys.argv[2]), sys.argv[3]
def note(what):
    with open(notes, "a") as file:
        file.write(f"{name} {what}\\n")
def end(number, frame):
    note(signal.Signals(number).name)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        refusal = open(notes + ".refusal", "rb").read() if os.path.exists(notes + ".refusal") else b""
        self.send_response(503 if refusal else 200)
        self.end_headers()
        self.wfile.write(refusal)
    def log_message(self, *_):
        pass
note("started")
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
_FAILS = "import sys; print('the reason is here'); sys.exit(7)"


def server(name: str, port: int, notes: Path, *after: str, stop: signal.Signals = signal.SIGTERM) -> Service:
    return Service(
        name=name,
        command=(sys.executable, "-c", _SERVER, name, str(port), str(notes)),
        environment={"PATH": os.environ["PATH"]},
        ports=(port,),
        ready=HttpAnswers(port, "/"),
        after=after,
        stop_signal=stop,
        stop_seconds=5,
    )


def failing(name: str, port: int) -> Service:
    command = (sys.executable, "-c", _FAILS)
    return Service(name=name, command=command, environment={}, ports=(port,), ready=HttpAnswers(port))


def step(name: str, code: str, *after: str) -> Step:
    return Step(name=name, command=(sys.executable, "-c", code), environment={}, after=after)


def record(kind: str, notes: Path, ports: list[int]) -> tuple[Process, ...]:
    """The records that tests run, by name, so that a supervisor in another process can build the same."""
    match kind:
        case "two":
            return (
                server("database", ports[0], notes, stop=signal.SIGINT),
                step("migrate", f"open({str(notes)!r}, 'a').write('migrate ran\\n')", "database"),
                server("gateway", ports[1], notes, "migrate"),
            )
        case "failing":
            return (failing("broken", ports[0]), server("behind", ports[1], notes, "broken"))
        case "homeless":
            return (server("broken", ports[0], notes),)
        case "missing":
            absent = Service(
                name="broken", command=("/no/such/program",), environment={}, ports=(), ready=HttpAnswers(ports[0])
            )
            return (absent,)
        case _:
            raise ValueError(kind)


def main() -> None:
    kind, root, notes, *ports = sys.argv[1:]
    made = record(kind, Path(notes), [int(port) for port in ports])
    sys.exit(supervise(Places(Path(root)), lambda: made, Identity.of(os.getpid())))


if __name__ == "__main__":
    main()
