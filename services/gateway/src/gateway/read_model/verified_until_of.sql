-- Until when the newest success of each revision holds: what came after it takes nothing away.
select v.connection_id, v.revision, max(v.expires_at) as until
from unnest($1::uuid[], $2::integer[]) as wanted (connection_id, revision)
join verifications v using (connection_id, revision)
where v.outcome = 'verified'
group by v.connection_id, v.revision
