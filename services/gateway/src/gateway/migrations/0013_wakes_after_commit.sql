-- PostgreSQL lets one transaction with a NOTIFY commit at a time, until its commit is on the disk. A session that wakes
-- the relay itself, once it has committed, says so in this setting; everybody else is still announced here.

create or replace function announce_outbox() returns trigger language plpgsql as $$
begin
  if current_setting('clearline.wakes_relay', true) is distinct from 'after_commit' then
    notify clearline_outbox;
  end if;
  return null;
end
$$;
