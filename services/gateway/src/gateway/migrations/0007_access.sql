-- Which token acted, what an audit entry touched, commands that are done once however often they are sent, and the
-- last admin.

-- The id of the request's token, set with its role and environments: names may repeat, ids do not.
create function request_token() returns uuid
  language sql stable
  return nullif(current_setting('clearline.token', true), '')::uuid;

-- The fields that an entry changed: what a viewer may know of it.
create function audit_parts(before jsonb, after jsonb) returns text[]
  language sql immutable as $$
  select coalesce(array_agg(key order by key), '{}') from (
    select jsonb_object_keys(case when jsonb_typeof(before) = 'object' then before else '{}' end)
    union
    select jsonb_object_keys(case when jsonb_typeof(after) = 'object' then after else '{}' end)
  ) as parts (key)
$$;

alter table audit
  add column token_id uuid default request_token(),  -- null where no token acted: whoever installs Clearline
  add column parts text[] generated always as (audit_parts(before, after)) stored;

alter policy audit_write on audit
  with check (principal = request_principal() and token_id is not distinct from request_token()
              and (environment is null or environment = any ((select request_environments())::text[])));

revoke select on audit from clearline_viewer;
grant select (id, at, principal, token_id, action, object_type, object_id, environment, correlation_id, parts)
  on audit to clearline_viewer;

create index audit_by_correlation on audit (correlation_id, id desc);
create index audit_by_principal on audit (principal, id desc);
create index audit_by_token on audit (token_id, id desc);
create index audit_by_action on audit (action, id desc);
create index audit_by_time on audit (at);

-- A token that ends hands out none that ends later: else it would live for ever through its children.
create function request_token_expiry() returns timestamptz
  language sql stable security definer set search_path = pg_catalog, public
  return (select t.expires_at from public.tokens t where t.id = public.request_token());
revoke all on function request_token_expiry() from public;
grant execute on function request_token_expiry() to clearline_admin;

create policy tokens_end_with_their_maker on tokens as restrictive for insert to clearline_admin
  with check (coalesce(expires_at, 'infinity') <= coalesce((select request_token_expiry()), 'infinity'));

-- The environments that would have no valid admin token without this one. One asks at a time, so that two admins who
-- revoke each other do not both find the other.
create function environments_without_admin(without_id uuid) returns text[]
  language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  perform pg_advisory_xact_lock(hashtextextended('clearline.environments_without_admin', 0));
  return (
    with admins as (
      select t.id, t.environments from public.tokens t
      where t.role = 'admin' and t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp())
    )
    select coalesce(array_agg(named.environment order by named.environment), '{}')
    from admins one, unnest(one.environments) as named (environment)
    where one.id = without_id
      and not exists (select from admins other where other.id <> one.id and named.environment = any (other.environments))
  );
end
$$;
revoke all on function environments_without_admin(uuid) from public;
grant execute on function environments_without_admin(uuid) to clearline_admin;

-- What was sent under an Idempotency-Key and what came of it, written by the transaction of the command itself.
create table idempotency_keys (
  token_id     uuid not null default request_token(),
  key          text not null check (length(key) between 1 and 255),
  fingerprint  bytea not null,        -- HMAC of method, path and body under the installation's key
  result       jsonb,                 -- what the command brought; null where it may be told only once
  created_at   timestamptz not null default clock_timestamp(),
  primary key (token_id, key)
);
create index idempotency_keys_by_age on idempotency_keys (created_at);

grant select, insert, update (fingerprint, result, created_at) on idempotency_keys to clearline_operator, clearline_admin;
grant select (token_id, key, created_at) on idempotency_keys to clearline_relay, clearline_reader;
grant delete on idempotency_keys to clearline_relay;

alter table idempotency_keys enable row level security;
alter table idempotency_keys force row level security;
create policy own_keys on idempotency_keys to clearline_operator, clearline_admin
  using (token_id = (select request_token())) with check (token_id = (select request_token()));
create policy workers on idempotency_keys to clearline_relay using (true);
create policy lookers on idempotency_keys for select to clearline_reader using (true);
do $$
begin
  execute format('create policy owner on idempotency_keys to %I using (true) with check (true)', current_user);
end
$$;
