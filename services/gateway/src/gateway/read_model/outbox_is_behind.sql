-- What Kafka refused for good waits for a person, and makes nothing else late.
select exists (select from outbox where parked_at is null offset $1)
