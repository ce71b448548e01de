-- Who acts (tokens) and what they did (audit).

create table tokens (
  id            uuid primary key,
  name          text not null,
  hash          bytea not null unique,   -- SHA-256 of a 256-bit random token: a fast hash is right for high entropy
  role          text not null check (role in ('viewer', 'operator', 'admin')),
  environments  text[] not null check (environments <@ array['development', 'staging', 'production']
                                       and cardinality(environments) >= 1),
  created_at    timestamptz not null,
  created_by    text not null,
  expires_at    timestamptz,
  revoked_at    timestamptz,
  last_used_at  timestamptz
);

-- The one way from a presented token to its rights; the API login cannot read the table itself.
create function authenticate(presented_hash bytea)
  returns table (id uuid, name text, role text, environments text[], expired boolean, revoked boolean)
  language sql security definer set search_path = pg_catalog, public as $$
  update public.tokens t set last_used_at = clock_timestamp()
    where t.id in (
      select u.id from public.tokens u
      where u.hash = presented_hash and (u.last_used_at is null or u.last_used_at < clock_timestamp() - interval '1 minute')
      for update skip locked);  -- one of many requests notes the time; none waits for it
  select t.id, t.name, t.role, t.environments,
         t.expires_at is not null and t.expires_at <= clock_timestamp(), t.revoked_at is not null
    from public.tokens t where t.hash = presented_hash
$$;
revoke all on function authenticate(bytea) from public;
grant execute on function authenticate(bytea) to clearline_api;

-- Insert only, for every role, from the first migration.
create table audit (
  id              bigint generated always as identity primary key,
  at              timestamptz not null default clock_timestamp(),
  principal       text not null,
  action          text not null,
  object_type     text not null,
  object_id       text not null,
  environment     text,
  correlation_id  text not null,
  before          jsonb,
  after           jsonb              -- a secret appears as "changed", never as itself or its digest
);
create index audit_by_object on audit (object_type, object_id, id desc);

create function keep_audit() returns trigger language plpgsql as $$
begin
  raise exception 'the audit may only be inserted into' using errcode = 'restrict_violation';
end
$$;
create trigger audit_stays before update or delete or truncate on audit for each statement execute function keep_audit();
