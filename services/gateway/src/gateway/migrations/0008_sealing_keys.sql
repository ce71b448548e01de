-- Rotation of sealing keys: which keys stored envelopes name, who asked for a rotation, and how far it is.

-- Written by the clock; a minute's grain. Requests made from rows may still name a key for as long as their topic keeps them.
create table sealing_keys (
  key_id          text primary key,
  first_named_at  timestamptz not null,
  last_named_at   timestamptz not null   -- when a stored envelope was last seen under it
);

create table key_rotations (
  id              uuid primary key,
  key_id          text not null,         -- everything shall be sealed for it
  correlation_id  text not null,
  requested_at    timestamptz not null,
  requested_by    text not null,
  asked_at        timestamptz            -- when every connection had been asked for
);
create unique index one_rotation_asks on key_rotations ((true)) where asked_at is null;

-- The newest request of each connection; a rotation asks once for each, so that what cannot be opened ends it all the same.
create table reseals (
  connection_id  uuid primary key references service_connection_profiles (id) on delete cascade,
  environment    text not null,
  reseal_id      uuid not null unique,
  rotation_id    uuid not null references key_rotations (id),
  outcome        text not null default 'pending' check (outcome in ('pending', 'resealed', 'failed')),
  requested_at   timestamptz not null,
  completed_at   timestamptz,
  failure        jsonb,                  -- the first of its envelopes that stayed: field, key_id, code, operator_detail
  constraint ended_has_time check ((outcome = 'pending') = (completed_at is null)),
  constraint failure_explains check ((outcome = 'failed') = (failure is not null))
);
create index reseals_by_rotation on reseals (rotation_id, outcome);
create index verifications_unreadable on verifications (connection_id, revision)
  where failure ->> 'code' = 'CREDENTIALS_UNREADABLE';  -- a handful at worst
create index reseals_pending on reseals (requested_at) where outcome = 'pending';

grant select, insert on key_rotations to clearline_admin;
grant update (asked_at) on key_rotations to clearline_admin, clearline_relay;
grant select on reseals to clearline_operator, clearline_admin;

grant select on key_rotations to clearline_projector, clearline_relay, clearline_reader;
grant select, insert, update on sealing_keys to clearline_relay;
grant select, insert, update on reseals to clearline_relay;
grant select, update (outcome, completed_at, failure) on reseals to clearline_projector;
grant select on sealing_keys, reseals to clearline_reader;

-- The projector puts a renewed envelope in the place of the old one, raises the connection's sequence and says so.
grant update (key_id, sealed) on connection_credentials to clearline_projector;
grant update (sequence) on service_connection_profiles to clearline_projector;
grant insert on audit to clearline_projector;
create policy audit_reseals on audit for insert to clearline_projector
  with check (object_type = 'connection' and action = 'connection.resealed');

do $$
declare
  scoped text;
begin
  foreach scoped in array array['sealing_keys', 'key_rotations', 'reseals'] loop
    execute format('alter table %I enable row level security', scoped);
    execute format('alter table %I force row level security', scoped);
    execute format('create policy workers on %I to clearline_projector, clearline_relay using (true) with check (true)', scoped);
    execute format('create policy lookers on %I for select to clearline_reader using (true)', scoped);
    execute format('create policy owner on %I to %I using (true) with check (true)', scoped, current_user);
  end loop;
end
$$;
create policy request_scope on reseals for select to clearline_operator, clearline_admin
  using (environment = any ((select request_environments())::text[]));
-- Keys belong to the installation: only whoever may see all of it begins a rotation.
create policy whole_installation on key_rotations to clearline_admin
  using (true)
  with check (array['development', 'staging', 'production'] <@ (select request_environments())::text[]);
-- What was done to the installation's keys is read by admins.
create policy audit_read_keys on audit for select to clearline_admin
  using (environment is null and object_type = 'key_rotation');

-- Counts over all environments, for admins: how much each key still seals. Ids of keys tell nothing.
create function sealing_key_census()
  returns table (key_id text, envelopes bigint, connections bigint, oldest_at timestamptz, first_named_at timestamptz,
                 last_named_at timestamptz, unreadable bigint, waits_for_kafka boolean)
  language sql stable security definer set search_path = pg_catalog, public as $$
  with stored as (
    select c.key_id, count(*) as envelopes, count(distinct c.connection_id) as connections, min(c.changed_at) as oldest_at
      from public.connection_credentials c group by c.key_id
  ), unreadable as (
    select r.connection_id, r.failure ->> 'key_id' as key_id
      from public.reseals r
     where r.outcome = 'failed' and r.failure ->> 'code' = 'CREDENTIALS_UNREADABLE'
       and exists (select from public.connection_credentials c
                    where c.connection_id = r.connection_id and c.key_id = r.failure ->> 'key_id')
    union
    select c.connection_id, c.key_id
      from public.verifications v
      join public.connection_credentials c on c.connection_id = v.connection_id and c.revision = v.revision
     where v.failure ->> 'code' = 'CREDENTIALS_UNREADABLE'
       and not exists (select from public.verifications w
                        where w.connection_id = v.connection_id and w.revision = v.revision and w.completed_at > v.completed_at)
  ), lost as (
    select u.key_id, count(*) as unreadable from unreadable u group by u.key_id
  )
  select key_id, coalesce(s.envelopes, 0), coalesce(s.connections, 0), s.oldest_at, k.first_named_at, k.last_named_at,
         coalesce(l.unreadable, 0),
         exists (select from public.outbox o where o.created_at <= k.last_named_at + interval '2 minutes')
    from stored s
    full join public.sealing_keys k using (key_id)
    left join lost l using (key_id)
   where s.key_id is not null or k.last_named_at > clock_timestamp() - interval '31 days'
   order by k.first_named_at nulls last, key_id
$$;

create function key_rotation_progress()
  returns table (id uuid, key_id text, correlation_id text, requested_at timestamptz, requested_by text,
                 asked_at timestamptz, pending bigint, resealed bigint, failed bigint)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select n.id, n.key_id, n.correlation_id, n.requested_at, n.requested_by, n.asked_at,
         count(r.*) filter (where r.outcome = 'pending'), count(r.*) filter (where r.outcome = 'resealed'),
         count(r.*) filter (where r.outcome = 'failed')
    from (select * from public.key_rotations order by requested_at desc, id desc limit 1) n
    left join public.reseals r on r.rotation_id = n.id
   group by n.id, n.key_id, n.correlation_id, n.requested_at, n.requested_by, n.asked_at
$$;
revoke all on function sealing_key_census(), key_rotation_progress() from public;
grant execute on function sealing_key_census(), key_rotation_progress() to clearline_admin;
