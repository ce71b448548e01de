update service_connection_profiles
set name = $2, owner = $3, beat = $4, lifecycle = $5::text, revision = $6, live_revision = $7, live_verification_id = $8,
    last_live_revision = $9, sequence = $10, updated_at = $11::timestamptz, updated_by = $12,
    retired_at = case when $5::text = 'retired' then $11::timestamptz end,
    renew_at = case when live_revision = $7 then renew_at end  -- of another live revision the clock knows nothing yet
where id = $1
