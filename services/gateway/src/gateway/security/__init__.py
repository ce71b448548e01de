"""Who asks, and what the database lets them see and do."""
