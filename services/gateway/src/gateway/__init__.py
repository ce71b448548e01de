"""Owns HTTP and PostgreSQL: commands, outbox, relay, projections, queries and the clock."""
