"""Clearline's shared kernel: contracts, catalogue, chassis, probes and the command line."""
