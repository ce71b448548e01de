-- Kept for the newest, the live and the last live revision only.
delete from connection_credentials where connection_id = $1 and revision <> all ($2::integer[])
