"""What people may do, one use case a file. Decisions are pure; each command is one transaction."""
