"""The command line `clearline`: everything an operator does, over the gateway's public HTTP API and nothing else."""
