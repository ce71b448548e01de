"""A TLS server on OpenSSL's own sockets: unlike asyncio's it says why it refuses a client, as real servers do."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Thread

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@contextmanager
def tls_answering(context: ssl.SSLContext, answer: bytes = ANSWER, *, host: str = "127.0.0.1") -> Iterator[int]:
    """Shake hands with each who comes, read one request, answer, close. Yields the port."""
    with socket.create_server((host, 0)) as listener:
        thread = Thread(target=_serve, args=(listener, context, answer), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _serve(listener: socket.socket, context: ssl.SSLContext, answer: bytes) -> None:
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:  # closed
            return
        with suppress(OSError), accepted:
            accepted.settimeout(10)
            with context.wrap_socket(accepted, server_side=True) as secured:
                if secured.recv(64 * 1024):
                    secured.sendall(answer)
