-- Who may touch the database. Logins get their passwords from whoever installs Clearline, never from a migration.
-- Roles are shared by all databases of a cluster, so each is created only where it is missing: the owner of this schema
-- need not be a superuser, and not even allowed to create roles where somebody else has done that.

do $$
declare
  wanted record;
begin
  for wanted in
    select * from (values
      ('clearline_viewer',    'nologin'),
      ('clearline_operator',  'nologin'),
      ('clearline_admin',     'nologin'),
      ('clearline_api',       'login noinherit'),  -- may only SET one of the three above
      ('clearline_projector', 'login'),
      ('clearline_relay',     'login'),            -- relay, clock and change feed
      ('clearline_reader',    'login')             -- for people who look; sees no sealed credential and no token hash
    ) as roles (name, options)
  loop
    if not exists (select from pg_roles where rolname = wanted.name) then
      begin
        execute format('create role %I %s', wanted.name, wanted.options);
      exception when duplicate_object or unique_violation then null;  -- another database was quicker
      end;
    end if;
  end loop;
  for wanted in select unnest(array['clearline_viewer', 'clearline_operator', 'clearline_admin']) as name loop
    if not pg_has_role('clearline_api', wanted.name, 'member') then
      execute format('grant %I to clearline_api', wanted.name);
    end if;
  end loop;
end
$$;

revoke all on schema public from public;
grant usage on schema public
  to clearline_viewer, clearline_operator, clearline_admin, clearline_api, clearline_projector, clearline_relay, clearline_reader;

grant select on schema_migrations to clearline_api, clearline_projector, clearline_relay, clearline_reader;

-- The environments that the request's token may see, set by the first statement of its transaction.
create function request_environments() returns text[]
  language sql stable
  return string_to_array(nullif(current_setting('clearline.environments', true), ''), ',');

create function request_principal() returns text
  language sql stable
  return nullif(current_setting('clearline.principal', true), '');
