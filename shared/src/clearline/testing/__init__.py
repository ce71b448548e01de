"""Doubles and suites that ship with the code for tests of other parts. Production code never imports it."""
