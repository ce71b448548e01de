insert into outbox (topic, key, headers, value) values ($1, $2, $3, $4)
