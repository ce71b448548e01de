-- Tests of unsaved values, which live one hour and belong to whoever started them, and the renewal of what is live.

-- The one place in SQL where expiry is compared; read_model/verification_status.py says the same in Python.
create function verification_status(outcome text, expires_at timestamptz, as_of timestamptz) returns text
  language sql immutable
  return case when outcome = 'verified' and expires_at <= as_of then 'expired' else outcome end;

-- No config and no secret: those are in the request alone. No foreign key either: a test outlives what it was started from.
create table connection_tests (
  id               uuid primary key,
  environment      text not null check (environment in ('development', 'staging', 'production')),
  kind             text not null,
  connection_id    uuid,             -- whose stored secrets it uses, if any
  outcome          text not null default 'pending' check (outcome in ('pending', 'verified', 'failed', 'cancelled')),
  correlation_id   text not null,
  requested_at     timestamptz not null,
  requested_by     text not null,
  deadline         timestamptz not null,
  cancelled_by     text,             -- who asked for its end; it comes from the verifier
  completed_at     timestamptz,
  failure          jsonb,
  operator_detail  text,             -- beside the rest: whoever may read a test is an operator
  constraint ended_has_time check ((outcome = 'pending') = (completed_at is null)),
  constraint failure_explains check ((outcome in ('failed', 'cancelled')) = (failure is not null))
);
create index connection_tests_by_age on connection_tests (requested_at);
create index connection_tests_pending on connection_tests (requested_by, deadline) where outcome = 'pending';

create table connection_test_steps (
  test_id          uuid not null references connection_tests (id) on delete cascade,
  number           integer not null,
  name             text not null,
  status           text not null check (status in ('passed', 'failed', 'skipped')),
  duration_ms      double precision not null,
  evidence         jsonb not null default '{}',
  skipped_because  text,
  primary key (test_id, number)
);

grant select on connection_tests, connection_test_steps to clearline_operator, clearline_admin;
grant insert (id, environment, kind, connection_id, correlation_id, requested_at, requested_by, deadline),
      update (cancelled_by)
  on connection_tests to clearline_operator, clearline_admin;  -- nobody writes how a test of their own ended
grant select, update (outcome, completed_at, failure, operator_detail) on connection_tests to clearline_projector;
grant select, insert, update, delete on connection_test_steps to clearline_projector;
grant select, delete, update (outcome, completed_at, failure, operator_detail) on connection_tests to clearline_relay;
grant select, delete on connection_test_steps to clearline_relay;
grant select on connection_tests, connection_test_steps to clearline_reader;

alter table connection_tests enable row level security;
alter table connection_tests force row level security;
alter table connection_test_steps enable row level security;
alter table connection_test_steps force row level security;
-- An hour is over for everyone at the same moment, whenever the clock comes to sweep.
create policy starter on connection_tests to clearline_operator
  using (requested_by = request_principal() and environment = any ((select request_environments())::text[])
         and requested_at > clock_timestamp() - interval '1 hour')
  with check (requested_by = request_principal() and environment = any ((select request_environments())::text[]));
create policy admin_reads on connection_tests for select to clearline_admin
  using (environment = any ((select request_environments())::text[])
         and requested_at > clock_timestamp() - interval '1 hour');
create policy admin_cancels on connection_tests for update to clearline_admin
  using (environment = any ((select request_environments())::text[])
         and requested_at > clock_timestamp() - interval '1 hour');
create policy admin_starts on connection_tests for insert to clearline_admin
  with check (requested_by = request_principal() and environment = any ((select request_environments())::text[]));
create policy of_a_visible_test on connection_test_steps for select to clearline_operator, clearline_admin
  using (exists (select from connection_tests t where t.id = test_id));
do $$
declare
  scoped text;
begin
  foreach scoped in array array['connection_tests', 'connection_test_steps'] loop
    execute format(
      'create policy workers on %I to clearline_projector, clearline_relay using (true) with check (true)', scoped);
    execute format('create policy lookers on %I for select to clearline_reader using (true)', scoped);
    execute format('create policy owner on %I to %I using (true) with check (true)', scoped, current_user);
  end loop;
end
$$;

-- When the clock looks at an active connection again to renew what proves it; null is: at its next turn.
alter table service_connection_profiles add column renew_at timestamptz;
create index profiles_to_renew on service_connection_profiles (renew_at nulls first) where lifecycle = 'active';
grant update (renew_at) on service_connection_profiles to clearline_operator, clearline_admin, clearline_relay;

-- All that the clock may add to verifications is a pending renewal of what is live. False if one is pending already.
create function insert_renewal(
  renewal_id uuid, of_connection uuid, of_revision integer, correlation text, now_ timestamptz, by_ text, until_ timestamptz
) returns boolean
  language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  insert into public.verifications
    (id, connection_id, environment, revision, why, correlation_id, requested_at, requested_by, deadline)
  select renewal_id, p.id, p.environment, of_revision, 'renewal', correlation, now_, by_, until_
  from public.service_connection_profiles p
  where p.id = of_connection and p.lifecycle = 'active' and p.live_revision = of_revision
  on conflict (connection_id, revision) where outcome = 'pending' do nothing;
  return found;
end
$$;
revoke all on function insert_renewal(uuid, uuid, integer, text, timestamptz, text, timestamptz) from public;
grant execute on function insert_renewal(uuid, uuid, integer, text, timestamptz, text, timestamptz) to clearline_relay;
