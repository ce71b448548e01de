"""HTTP and nothing else: it reads requests, asks the desk, and tells answers. No SQL, no Kafka."""
