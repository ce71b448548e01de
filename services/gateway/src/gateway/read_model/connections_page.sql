-- Newest first. Retired connections are shown only to whoever asks for them.
select p.id, p.name, p.environment, p.owner, p.kind, p.beat, p.lifecycle, p.revision, p.live_revision,
       p.last_live_revision, p.sequence, p.created_at, p.created_by, p.updated_at, p.updated_by
from service_connection_profiles p
left join lateral (
  select verification_status(v.outcome, v.expires_at, clock_timestamp()) as status
  from verifications v
  where $4::text is not null and v.connection_id = p.id and v.revision = p.revision
  order by v.requested_at desc, v.id desc
  limit 1
) newest on true
where ($1::text is null or p.environment = $1)
  and ($2::text is null or p.kind = $2)
  and (case when $3::text is null then p.lifecycle <> 'retired' else p.lifecycle = $3 end)
  and ($4::text is null or newest.status = $4)
  and ($5::text is null or p.name = $5)
  and ($6::timestamptz is null or (p.created_at, p.id) < ($6, $7::uuid))
order by p.created_at desc, p.id desc
limit $8
