select exists (select from outbox offset $1)
