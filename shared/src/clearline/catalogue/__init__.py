"""The error catalogue: one data file of codes, and the translator that tells them to users and operators."""

from clearline.catalogue.entry import Entry
from clearline.catalogue.error import ClearlineError, FieldError
from clearline.catalogue.translator import FALLBACK_CODE, Catalogue, Translation, load, translate

__all__ = [
    "FALLBACK_CODE",
    "Catalogue",
    "ClearlineError",
    "Entry",
    "FieldError",
    "Translation",
    "load",
    "translate",
]
