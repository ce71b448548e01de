-- That they are stored and since when; nobody reads more of them here.
select c.connection_id, c.revision, c.field, c.changed_at
from unnest($1::uuid[], $2::integer[]) as wanted (connection_id, revision)
join connection_credentials c using (connection_id, revision)
order by c.field
