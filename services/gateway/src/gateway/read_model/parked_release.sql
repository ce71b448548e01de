update outbox set parked_at = null, parked_why = null where id = $1
