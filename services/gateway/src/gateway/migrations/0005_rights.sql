-- What each role may do, row by row. A wrong query shows nothing foreign: policies compare with the request's
-- environments, and a transaction that never set them sees nothing.

grant select on
  service_connection_profiles, connection_revisions, verifications, verification_steps, audit
  to clearline_viewer, clearline_operator, clearline_admin;
grant select (connection_id, environment, revision, field, key_id, changed_at) on connection_credentials to clearline_viewer;
grant select on connection_credentials, verification_operator_details to clearline_operator, clearline_admin;
grant insert on service_connection_profiles to clearline_operator, clearline_admin;
grant update (name, owner, beat, lifecycle, revision, live_revision, live_verification_id, last_live_revision, sequence,
              updated_at, updated_by, retired_at)
  on service_connection_profiles to clearline_operator, clearline_admin;  -- kind and environment never change
grant insert on connection_revisions, connection_credentials, outbox, changes, audit to clearline_operator, clearline_admin;
-- Whoever asks for a verification cannot write its outcome.
grant insert (id, connection_id, environment, revision, why, correlation_id, requested_at, requested_by, deadline)
  on verifications to clearline_operator, clearline_admin;
grant usage on sequence changes_id to clearline_operator, clearline_admin, clearline_projector, clearline_relay;
grant update (discarded_at) on connection_revisions to clearline_operator, clearline_admin;
grant delete on connection_credentials to clearline_operator, clearline_admin;
grant select (id, name, role, environments, created_at, created_by, expires_at, revoked_at, last_used_at)
  on tokens to clearline_admin;
grant insert on tokens to clearline_admin;
grant update (revoked_at) on tokens to clearline_admin;

grant select, update (outcome, completed_at, expires_at, failure) on verifications to clearline_projector;
grant select, insert, update, delete on verification_steps to clearline_projector;  -- the end tells all steps anew
grant select, insert on verification_operator_details, inbox to clearline_projector;
grant select, insert, update on positions, connection_sequences to clearline_projector;
grant select on service_connection_profiles, connection_revisions, connection_credentials to clearline_projector;
grant insert on outbox, changes to clearline_projector;
grant execute on function lock_connection(uuid) to clearline_projector, clearline_relay;

grant select, update, delete on outbox to clearline_relay;
grant insert on outbox, changes, verification_operator_details to clearline_relay;
grant update (tombstoned_at) on service_connection_profiles to clearline_relay;
grant select on changes, service_connection_profiles, connection_revisions, connection_credentials to clearline_relay;
grant select, update (outcome, completed_at, expires_at, failure) on verifications to clearline_relay;
revoke all on function maintain_partitions(timestamptz, integer) from public;
grant execute on function maintain_partitions(timestamptz, integer) to clearline_relay;

grant select on
  service_connection_profiles, connection_revisions, verifications, verification_steps, verification_operator_details,
  positions, inbox, connection_sequences, changes, audit
  to clearline_reader;
grant select (id, topic, key, created_at, parked_at, parked_why) on outbox to clearline_reader;
grant select (connection_id, environment, revision, field, key_id, changed_at) on connection_credentials to clearline_reader;
grant select (id, name, role, environments, created_at, created_by, expires_at, revoked_at, last_used_at)
  on tokens to clearline_reader;

do $$
declare
  scoped text;
begin
  foreach scoped in array array[
    'service_connection_profiles', 'connection_revisions', 'connection_credentials', 'verifications',
    'verification_steps', 'verification_operator_details'
  ] loop
    execute format('alter table %I enable row level security', scoped);
    execute format('alter table %I force row level security', scoped);
    execute format(
      'create policy request_scope on %I to clearline_viewer, clearline_operator, clearline_admin '
      'using (environment = any ((select request_environments())::text[])) '
      'with check (environment = any ((select request_environments())::text[]))', scoped);
    execute format(
      'create policy workers on %I to clearline_projector, clearline_relay using (true) with check (true)', scoped);
    execute format('create policy lookers on %I for select to clearline_reader using (true)', scoped);
    execute format('create policy owner on %I to %I using (true) with check (true)', scoped, current_user);
  end loop;
end
$$;

alter table audit enable row level security;
alter table audit force row level security;
create policy audit_read on audit for select to clearline_viewer, clearline_operator, clearline_admin
  using (environment = any ((select request_environments())::text[]));
-- What was done to a token is seen by whoever may see the token (its own policy answers the subquery).
create policy audit_read_tokens on audit for select to clearline_admin
  using (environment is null and object_type = 'token' and object_id in (select t.id::text from tokens t));
create policy audit_write on audit for insert to clearline_operator, clearline_admin
  with check (principal = request_principal()
              and (environment is null or environment = any ((select request_environments())::text[])));
create policy lookers on audit for select to clearline_reader using (true);

alter table tokens enable row level security;
alter table tokens force row level security;
-- An admin hands out no more than it has, and manages only tokens within its own environments.
create policy tokens_admin on tokens to clearline_admin
  using (environments <@ (select request_environments())::text[])
  with check (environments <@ (select request_environments())::text[]);
create policy lookers on tokens for select to clearline_reader using (true);
do $$
begin
  execute format('create policy owner on audit to %I using (true) with check (true)', current_user);
  execute format('create policy owner on tokens to %I using (true) with check (true)', current_user);
end
$$;

-- No login of ours needs tables of its own, not even for a moment.
do $$
begin
  execute format('revoke temporary on database %I from public', current_database());
end
$$;
