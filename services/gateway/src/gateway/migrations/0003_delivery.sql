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
alter table outbox set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);  -- a queue: mostly dead rows

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

create sequence changes_id;

-- Notices for live pages: readers take xid < pg_snapshot_xmin(pg_current_snapshot()) in order of (xid, id).
create table changes (
  at             timestamptz not null default clock_timestamp(),
  id             bigint not null default nextval('changes_id'),  -- identity columns of partitioned tables came with 17
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

create table inbox_other partition of inbox default;      -- an event dated far outside still finds a place
create table changes_other partition of changes default;

-- The partitions that should exist at a moment, and the bounds of each. An event may be as old as its topic keeps it;
-- a notice is never old.
create function wanted_partitions(as_of timestamptz)
  returns table (parent text, name text, lower_bound text, upper_bound text)
  language sql stable set timezone = 'UTC' as $$
  select 'inbox', 'inbox_' || to_char(day, 'YYYYMMDD'), (day::date)::text, (day::date + 1)::text
    from generate_series(date_trunc('day', as_of) - interval '31 days', as_of + interval '2 days', interval '1 day') as day
  union all
  select 'changes', 'changes_' || to_char(hour, 'YYYYMMDDHH24'), hour::text, (hour + interval '1 hour')::text
    from generate_series(date_trunc('hour', as_of) - interval '1 hour', as_of + interval '8 hours', interval '1 hour') as hour
$$;

-- Makes what is missing and drops what is past its retention, at most `at_most` of both; returns how many it did.
-- Made beside the parent and attached, so that readers and writers of the parent wait for an instant only; whoever
-- cannot get the lock at once gives up and comes again, and nobody queues behind it.
create function maintain_partitions(as_of timestamptz, at_most integer default 1) returns integer
  language plpgsql security definer
  set search_path = pg_catalog, public set timezone = 'UTC' set lock_timeout = '500ms' as $$
declare
  wanted record;
  old text;
  bounded_by text;
  done integer := 0;
begin
  -- One at a time. Of the locks that conflict with themselves it is the weakest; unlike an advisory one it also has
  -- this session notice what others made while it waited.
  lock table public.inbox, public.changes in share update exclusive mode;
  for wanted in
    select w.* from public.wanted_partitions(as_of) w where to_regclass('public.' || w.name) is null
    order by w.parent, w.name limit at_most
  loop
    bounded_by := case wanted.parent when 'inbox' then 'day' else 'at' end;
    execute format('create table public.%I (like public.%I including defaults including constraints)', wanted.name, wanted.parent);
    -- What went to the default while nobody made this partition must move, or attaching is refused.
    execute format('lock table public.%I in access exclusive mode', wanted.parent || '_other');
    execute format('with moved as (delete from public.%I where %I >= %L and %I < %L returning *) insert into public.%I select * from moved',
      wanted.parent || '_other', bounded_by, wanted.lower_bound, bounded_by, wanted.upper_bound, wanted.name);
    execute format('alter table public.%I attach partition public.%I for values from (%L) to (%L)',
      wanted.parent, wanted.name, wanted.lower_bound, wanted.upper_bound);
    done := done + 1;
  end loop;
  for old in
    select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent in ('public.inbox'::regclass, 'public.changes'::regclass)
      and c.relname < case i.inhparent when 'public.inbox'::regclass
        then 'inbox_' || to_char(as_of - interval '31 days', 'YYYYMMDD')
        else 'changes_' || to_char(as_of - interval '24 hours', 'YYYYMMDDHH24') end
      and c.relname ~ '_[0-9]+$'
    order by c.relname limit greatest(at_most - done, 0)
  loop
    execute format('drop table public.%I', old);
    done := done + 1;
  end loop;
  delete from public.inbox_other where day < (as_of - interval '31 days')::date;
  delete from public.changes_other where at < as_of - interval '24 hours';
  return done;
end
$$;
select maintain_partitions(clock_timestamp(), 1000);
