"""How a service runs: settings, logs, metrics, health, consumption, publication and shutdown."""
