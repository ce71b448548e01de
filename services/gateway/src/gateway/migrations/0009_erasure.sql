-- Erasing a retired connection: everything it held goes, and what must stay (its id, its sequence, that something was
-- done and by whom) stays without contents. Its row stays too: a relay that slept may still send an old state, and only
-- a row that is known to be gone has the tombstone published again.

alter table service_connection_profiles add column erased_at timestamptz;
alter table service_connection_profiles add constraint only_gone_is_erased check (erased_at is null or tombstoned_at is not null);

-- History that may otherwise only be added to gives way to erasure alone: inside erase_connection, which runs as the
-- owner and names the connection.
create function erasing() returns text
  language sql stable
  return case when current_user = (select pg_get_userbyid(c.relowner) from pg_class c where c.oid = 'public.audit'::regclass)
              then nullif(current_setting('clearline.erasing', true), '') end;

create or replace function keep_ended_verification() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and old.connection_id::text = public.erasing() then
    return old;
  end if;
  raise exception 'verification % has ended and never changes again; a renewal is a new row', old.id
    using errcode = 'restrict_violation';
end
$$;

create or replace function keep_audit() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and public.erasing() is not null then
    return null;
  end if;
  raise exception 'the audit may only be inserted into' using errcode = 'restrict_violation';
end
$$;

-- What a command brought is kept for a day under its idempotency key; so it is found.
create index idempotency_keys_by_connection on idempotency_keys ((result ->> 'id'));

-- What still waits for Kafka goes too, or a parked event would keep what it says for ever and hold the tombstone back.
-- False for one that is not retired, or that the caller may not see. The caller has locked its row.
create function erase_connection(erased_id uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  perform 1 from public.service_connection_profiles p
    where p.id = erased_id and p.lifecycle = 'retired' and p.environment = any (public.request_environments());
  if not found then
    return false;
  end if;
  perform set_config('clearline.erasing', erased_id::text, true);
  delete from public.verification_steps s using public.verifications v
    where v.connection_id = erased_id and s.verification_id = v.id;
  delete from public.verification_operator_details d using public.verifications v
    where v.connection_id = erased_id and d.verification_id = v.id;
  delete from public.verifications where connection_id = erased_id;
  delete from public.connection_credentials where connection_id = erased_id;
  delete from public.connection_revisions where connection_id = erased_id;
  delete from public.reseals where connection_id = erased_id;
  delete from public.outbox
    where key in (select erased_id::text union select t.id::text from public.connection_tests t where t.connection_id = erased_id);
  delete from public.connection_tests where connection_id = erased_id;
  delete from public.idempotency_keys where result ->> 'id' = erased_id::text;
  update public.audit set before = null, after = null
    where object_type = 'connection' and object_id = erased_id::text;
  update public.service_connection_profiles
    set name = '(erased)', owner = null,
        beat = '{"interval_seconds": 30, "timeout_seconds": 10, "failure_threshold": 2, "recovery_threshold": 2}',
        tombstoned_at = coalesce(tombstoned_at, clock_timestamp()), erased_at = coalesce(erased_at, clock_timestamp())
    where id = erased_id;
  perform set_config('clearline.erasing', '', true);
  return true;
end
$$;
revoke all on function erase_connection(uuid) from public;
grant execute on function erase_connection(uuid) to clearline_admin;
