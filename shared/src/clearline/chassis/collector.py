"""Keeps Python's garbage collector from walking, for every few hundred events, all that a process keeps for life.

Modules, classes, forms and connections are some hundred thousand objects, which no collection can free. A consumer
that walks them again and again spends a third of its CPU so (docs/performance.md).
"""

import gc


def freeze_what_stays() -> None:
    """To be called once, when a process has what it needs and its work begins."""
    gc.collect()
    gc.freeze()
