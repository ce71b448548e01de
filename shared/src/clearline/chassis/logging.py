"""JSON log lines with correlation id, service and installation; secrets never, and no flood while Kafka is away."""

from clearline.chassis.settings import ProcessSettings


def configure(service: str, settings: ProcessSettings) -> None:
    """Send structlog and stdlib logging to stdout as JSON lines. Called once, in `__main__`."""
    raise NotImplementedError
