"""What the verifier is told by its environment: whom it may dial and with which keys it opens credentials."""

from pydantic import Field, SecretStr, field_validator

from clearline.chassis.settings import CommaSeparated, ProcessSettings
from clearline.probes.outbound import OutboundPolicy
from clearline.probes.sealing import Opener


class VerifierSettings(ProcessSettings):
    """The verifier's own settings. Kafka's are read beside these."""

    sealing_private_keys: SecretStr = Field(
        min_length=1,
        description="Private keys that open credentials, comma-separated: first the current one, then those going out.",
        examples=["base64url-of-32-bytes"],
    )
    outbound_allow: CommaSeparated = Field(
        default=(),
        description="Networks (CIDR, comma-separated) that may be dialled although they are private.",
        examples=["10.20.0.0/16,192.0.2.7/32"],
    )
    concurrency: int = Field(
        default=256, ge=1, le=256, description="Verifications that may run at the same time.", examples=["256"]
    )

    @field_validator("sealing_private_keys")
    @classmethod
    def _keys(cls, secret: SecretStr) -> SecretStr:
        Opener(_split(secret))
        return secret

    @field_validator("outbound_allow")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        OutboundPolicy.parse(networks)
        return networks

    def opener(self) -> Opener:
        """Opens what was sealed for any of the keys."""
        return Opener(_split(self.sealing_private_keys))

    def policy(self) -> OutboundPolicy:
        """What may be dialled."""
        return OutboundPolicy.parse(self.outbound_allow)


def _split(secret: SecretStr) -> list[str]:
    """Commas or lines: a file with one key per line is as good as a variable."""
    return secret.get_secret_value().replace(",", " ").split()
