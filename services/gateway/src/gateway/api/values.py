"""The small types that requests and answers are made of."""

from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from clearline.contracts.connection import Environment, Lifecycle
from clearline.contracts.verification import FaultOwner, RetryClass, StepName, StepStatus
from gateway.security.principal import Role

__all__ = [
    "Answer",
    "Environment",
    "FaultOwner",
    "Lifecycle",
    "Limit",
    "Moment",
    "Nothing",
    "Request",
    "RetryClass",
    "Role",
    "StepName",
    "StepStatus",
    "Text",
    "VerificationStatus",
]

VerificationStatus = Literal["pending", "verified", "failed", "cancelled", "expired"]
HealthStatus = Literal["unknown", "operational", "degraded", "down", "paused"]
FIRST_YEAR, LAST_YEAR = 2000, 2200


class Request(BaseModel):
    """A body that is sent to us: unknown fields and lax types are refused, and values never show in errors or logs."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class Nothing(Request):
    """A command that takes no words: an object with any in it is a misunderstanding."""


class Answer(BaseModel):
    """A body that we send. Fields that have nothing to say at all are left out; `null` says that there is none."""

    model_config = ConfigDict(frozen=True)


def _from_text(value: Any) -> Any:
    """A time is a text with an offset; numbers would be read as seconds since 1970."""
    if isinstance(value, str):
        with suppress(ValueError):
            moment = datetime.fromisoformat(value)
            if FIRST_YEAR <= moment.year <= LAST_YEAR:
                return moment
    raise PydanticCustomError("moment", "not a time that anybody means")


Moment = Annotated[AwareDatetime, BeforeValidator(_from_text)]
"""A time with its offset from UTC, in a year that the database can hold in any zone."""

Text = Annotated[str, Field(max_length=200, pattern=r"^[^\u0000-\u001f]*$")]
"""A filter's value."""

Limit = Annotated[int, Field(ge=1, le=200, description="Items per page.")]
Cursor = Annotated[str, Field(max_length=512, description="`next_cursor` of the page before, with the same filters.")]
