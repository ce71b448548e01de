"""`verifier`: reads the settings and runs until SIGTERM."""

from clearline.chassis import logging, tracing
from clearline.chassis.service import run_until_signal
from clearline.chassis.settings import KafkaSettings, load
from clearline.probes.dial import OutboundLoop
from verifier import service
from verifier.settings import VerifierSettings


def main() -> None:
    settings = load(VerifierSettings)
    logging.configure(service.NAME, settings)
    with tracing.exported(service.NAME, settings.installation):
        run_until_signal(service.build(settings, load(KafkaSettings)), loop_factory=OutboundLoop)


if __name__ == "__main__":
    main()
