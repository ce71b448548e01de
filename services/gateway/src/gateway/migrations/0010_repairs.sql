-- What `gateway rebuild`, `positions` and `republish` need; they run as the projector does, and the audit knows of them.

grant delete on positions to clearline_projector;
grant select (id, topic, key, created_at, parked_at) on outbox to clearline_projector;  -- how full it is, never what is in it
create policy audit_repairs on audit for insert to clearline_projector
  with check (principal = 'installation' and environment is null
              and action in ('read_model.rebuilt', 'position.forgotten', 'connections.republished'));
-- Repairs are of no environment: only whoever may see all of the installation reads of them.
create policy audit_read_repairs on audit for select to clearline_admin
  using (environment is null and principal = 'installation'
         and array['development', 'staging', 'production'] <@ (select request_environments())::text[]);
