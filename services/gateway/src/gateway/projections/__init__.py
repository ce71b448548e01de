"""Read models: one file each, in the table that names them all."""

from gateway.projections.connection_sequences import ConnectionSequences
from gateway.projections.connection_tests import ConnectionTests
from gateway.projections.projection import Projection, Surroundings
from gateway.projections.reseals import Reseals
from gateway.projections.verifications import Verifications

PROJECTIONS: tuple[Projection, ...] = (
    # First: it locks connections, and everyone locks a connection before its verifications.
    ConnectionSequences(),
    Reseals(),  # locks connections too
    Verifications(),
    ConnectionTests(),
)

__all__ = ["PROJECTIONS", "Projection", "Surroundings"]
