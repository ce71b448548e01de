-- One connection with its newest revision and, while it is active, its live one; each with its envelopes.
select p.id, p.name, p.environment, p.owner, p.kind, p.beat, p.lifecycle, p.revision, p.live_revision, p.sequence,
       p.updated_at, p.updated_by, p.tombstoned_at,
       (select jsonb_agg(jsonb_build_object(
                 'number', r.revision, 'config', r.config,
                 'envelopes', (select coalesce(jsonb_object_agg(c.field, jsonb_build_object(
                                        'key_id', c.key_id, 'sealed', c.sealed, 'changed_at', c.changed_at)), '{}')
                               from connection_credentials c
                               where c.connection_id = r.connection_id and c.revision = r.revision)))
        from connection_revisions r
        where r.connection_id = p.id
          and r.revision in (p.revision, case when p.lifecycle = 'active' then p.live_revision end)) as revisions
from service_connection_profiles p
where p.id = $1
