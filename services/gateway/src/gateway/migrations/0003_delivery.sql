-- From command to Kafka (outbox) and from Kafka to effect (positions, inbox), and what readers are told (changes).

create table outbox (
  id          bigint generated always as identity primary key,
  topic       text not null,
  key         text not null,
  headers     jsonb not null,       -- [[name, value], …] exactly as they go out
  value       bytea,                -- null is a tombstone
  created_at  timestamptz not null default clock_timestamp(),
  parked_at   timestamptz,          -- Kafka refused it for good; its key's successors wait behind it
  parked_why  text
);
create index outbox_parked on outbox (topic, key) where parked_at is not null;

create function announce_outbox() returns trigger language plpgsql as $$
begin
  notify clearline_outbox;
  return null;
end
$$;
create trigger outbox_announced after insert on outbox for each statement execute function announce_outbox();

-- The projector's position is the only truth: a batch that does not begin at it is rolled back.
create table positions (
  consumer     text not null,
  cluster_id   text not null,
  topic        text not null,
  partition    integer not null,
  next_offset  bigint not null,
  updated_at   timestamptz not null default clock_timestamp(),
  primary key (consumer, cluster_id, topic, partition)
);

-- Events that have had their effect. The day comes from the event, so a repeat meets its first copy.
create table inbox (
  day       date not null,
  consumer  text not null,
  event_id  uuid not null,
  primary key (day, consumer, event_id)
) partition by range (day);

-- The highest sequence of each connection seen on the bus: a lower one after it means that a relay slept.
create table connection_sequences (
  connection_id  uuid primary key,
  sequence       bigint not null
);

-- Notices for live pages: readers take xid < pg_snapshot_xmin(pg_current_snapshot()) in order of (xid, id).
create table changes (
  at             timestamptz not null default clock_timestamp(),
  id             bigint generated always as identity,
  xid            xid8 not null default pg_current_xact_id(),
  type           text not null,
  connection_id  uuid,
  environment    text,
  version        bigint,
  primary key (at, id)
) partition by range (at);
create index changes_in_order on changes (xid, id);

create function announce_changes() returns trigger language plpgsql as $$
begin
  notify clearline_changes;
  return null;
end
$$;
create trigger changes_announced after insert on changes for each statement execute function announce_changes();

-- Makes the partitions for the coming time and drops those past their retention. Called by the clock.
create function maintain_partitions(as_of timestamptz) returns void
  language plpgsql security definer set search_path = pg_catalog, public as $$
declare
  moment timestamptz;
  lower_bound timestamptz;
  old record;
begin
  -- One at a time; a second caller finds everything made.
  perform pg_advisory_xact_lock(hashtext('clearline.maintain_partitions'));
  for moment in select generate_series(as_of - interval '31 days', as_of + interval '7 days', interval '1 day') loop
    lower_bound := date_trunc('day', moment at time zone 'UTC') at time zone 'UTC';
    execute format('create table if not exists public.%I partition of public.inbox for values from (%L) to (%L)',
      'inbox_' || to_char(moment at time zone 'UTC', 'YYYYMMDD'),
      (lower_bound at time zone 'UTC')::date, (lower_bound at time zone 'UTC')::date + 1);
  end loop;
  for moment in select generate_series(as_of - interval '24 hours', as_of + interval '48 hours', interval '1 hour') loop
    lower_bound := date_trunc('hour', moment);
    execute format('create table if not exists public.%I partition of public.changes for values from (%L) to (%L)',
      'changes_' || to_char(moment at time zone 'UTC', 'YYYYMMDDHH24'), lower_bound, lower_bound + interval '1 hour');
  end loop;
  for old in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where (i.inhparent = 'public.inbox'::regclass
           and c.relname < 'inbox_' || to_char((as_of - interval '31 days') at time zone 'UTC', 'YYYYMMDD')
           and c.relname ~ '^inbox_\d{8}$')
       or (i.inhparent = 'public.changes'::regclass
           and c.relname < 'changes_' || to_char((as_of - interval '24 hours') at time zone 'UTC', 'YYYYMMDDHH24')
           and c.relname ~ '^changes_\d{10}$')
  loop
    execute format('drop table public.%I', old.relname);
  end loop;
end
$$;
create table inbox_other partition of inbox default;      -- an event dated far outside still finds a place
create table changes_other partition of changes default;
select maintain_partitions(clock_timestamp());
