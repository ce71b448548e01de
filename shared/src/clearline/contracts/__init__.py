"""What services say to each other: events, topics and ids. No I/O in here."""
