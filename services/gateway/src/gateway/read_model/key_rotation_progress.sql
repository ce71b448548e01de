select id, key_id, correlation_id, requested_at, requested_by, asked_at, pending, resealed, failed
from key_rotation_progress()
