"""Connections as files declare them: read safely, checked by the forms' own rules, with every fault at its line.

`reader.read_declared` is the way in. It gives `Declared` items, whose secrets are read only when they are asked for.
"""
