"""Puts the verifier together: what `__main__` runs and what tests build instead."""

from functools import partial

from clearline.catalogue import load
from clearline.chassis.clock import Clock, SystemClock
from clearline.chassis.health import Health
from clearline.chassis.metrics import Metrics
from clearline.chassis.producer import Producer
from clearline.chassis.service import Worker
from clearline.chassis.settings import KafkaSettings
from clearline.chassis.watermark import WatermarkConsumer
from clearline.contracts.topics import VERIFICATION_REQUESTS, VERIFICATIONS
from clearline.probes.registry import KINDS
from verifier.handlers import Verifier
from verifier.metrics import VerifierMetrics
from verifier.settings import VerifierSettings

NAME = "verifier"
GROUP = "clearline-verifier"


def build(settings: VerifierSettings, kafka: KafkaSettings, *, clock: Clock | None = None) -> Worker:
    """The whole worker, not yet started. Run it on `clearline.probes.dial.OutboundLoop`."""
    clock = clock or SystemClock()
    metrics = Metrics()
    producer = Producer(settings=kafka, metrics=metrics, clock=clock, client_id=NAME)
    verifier = Verifier(
        publish=partial(producer.publish, topic=VERIFICATIONS),
        opener=settings.opener(),
        policy=settings.policy(),
        clock=clock,
        metrics=VerifierMetrics(metrics.registry, KINDS),
        catalogue=load(metrics.count_catalogue_miss),
    )
    consumer = WatermarkConsumer(
        settings=kafka,
        topics=(VERIFICATION_REQUESTS,),
        group=GROUP,
        handler=verifier.climb_for_request,
        producer=producer,
        metrics=metrics,
        clock=clock,
        control=verifier.end_cancelled_verification,
        on_dead=verifier.fail_dead_request,
        concurrency=settings.concurrency,
    )
    return Worker(
        name=NAME,
        settings=settings,
        producer=producer,
        consumers={"verification-requests": consumer},
        metrics=metrics,
        health=Health(),
        clock=clock,
    )
