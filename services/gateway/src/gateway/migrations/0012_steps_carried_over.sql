-- A file of its own, as adding the columns shuts readers out for an instant and this takes two to three minutes per million
-- verifications. Readers go on meanwhile; whoever writes waits.

alter table verifications disable trigger verification_ends_once;  -- writers wait from here on
lock table verification_steps, connection_tests, connection_test_steps in share row exclusive mode;
update verifications v set steps = told.steps
from (
  select verification_id, jsonb_object_agg(number, to_jsonb(s) - array['verification_id', 'environment', 'number']) as steps
  from verification_steps s
  group by verification_id
) as told
where v.id = told.verification_id;
update connection_tests t set steps = told.steps
from (
  select test_id, jsonb_object_agg(number, to_jsonb(s) - array['test_id', 'number']) as steps
  from connection_test_steps s
  group by test_id
) as told
where t.id = told.test_id;
alter table verifications enable trigger verification_ends_once;
drop table verification_steps, connection_test_steps;

-- As in 0009, without the steps, which go with their verification.
create or replace function erase_connection(erased_id uuid) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  perform 1 from public.service_connection_profiles p
    where p.id = erased_id and p.lifecycle = 'retired' and p.environment = any (public.request_environments());
  if not found then
    return false;
  end if;
  perform set_config('clearline.erasing', erased_id::text, true);
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
