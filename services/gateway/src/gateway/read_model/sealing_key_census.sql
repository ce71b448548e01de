select key_id, envelopes, connections, oldest_at, first_named_at, last_named_at, unreadable, waits_for_kafka
from sealing_key_census()
