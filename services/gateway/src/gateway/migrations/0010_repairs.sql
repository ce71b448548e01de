-- What `gateway rebuild`, `positions` and `republish` need; they run as the projector does, and the audit knows of them.

grant delete on positions to clearline_projector;
grant select (id, topic, key, created_at, parked_at) on outbox to clearline_projector;  -- how full it is, never what is in it
create policy audit_repairs on audit for insert to clearline_projector
  with check (principal = 'installation' and environment is null
              and action in ('read_model.rebuilt', 'position.forgotten', 'connections.republished'));
