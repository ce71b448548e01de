-- Connections, their immutable revisions and what verified them. Rule 1 (only what was proven is active) is a
-- constraint here: an active row points at a verification of its live revision whose outcome is 'verified'.

create table service_connection_profiles (
  id                    uuid primary key,
  name                  text not null,
  environment           text not null check (environment in ('development', 'staging', 'production')),
  owner                 text,
  kind                  text not null,
  beat                  jsonb not null,
  lifecycle             text not null default 'inactive' check (lifecycle in ('inactive', 'active', 'retired')),
  revision              integer not null check (revision >= 1),  -- the newest that was not discarded
  live_revision         integer,
  live_verification_id  uuid,
  last_live_revision    integer,                                 -- may be activated again by name
  live_outcome          text generated always as (case when lifecycle = 'active' then 'verified' end) stored,
  sequence              bigint not null check (sequence >= 1),    -- of its newest event on clearline.connections; the ETag
  created_at            timestamptz not null,
  created_by            text not null,
  updated_at            timestamptz not null,
  updated_by            text not null,
  retired_at            timestamptz,
  tombstoned_at         timestamptz,                             -- seven days later: gone from the compacted topic
  unique (id, environment),
  constraint active_has_live_revision
    check (lifecycle <> 'active' or (live_revision is not null and live_verification_id is not null)),
  constraint retired_has_time check ((lifecycle = 'retired') = (retired_at is not null)),
  constraint only_retired_is_gone check (tombstoned_at is null or lifecycle = 'retired')
);
create unique index one_name_per_environment
  on service_connection_profiles (environment, name) where lifecycle <> 'retired';
create index profiles_by_creation on service_connection_profiles (created_at, id);
create index profiles_to_bury on service_connection_profiles (retired_at) where lifecycle = 'retired' and tombstoned_at is null;

create table connection_revisions (
  connection_id  uuid not null,
  environment    text not null,
  revision       integer not null,
  config         jsonb not null,
  destination    text not null,   -- what the envelopes are bound to
  created_at     timestamptz not null,
  created_by     text not null,
  discarded_at   timestamptz,
  primary key (connection_id, revision),
  foreign key (connection_id, environment) references service_connection_profiles (id, environment)
);

-- Sealed by the gateway, which cannot open them. Kept for the newest, the live and the last live revision only.
create table connection_credentials (
  connection_id  uuid not null,
  environment    text not null,
  revision       integer not null,
  field          text not null,
  key_id         text not null,
  sealed         text not null,
  changed_at     timestamptz not null,
  primary key (connection_id, revision, field),
  foreign key (connection_id, revision) references connection_revisions (connection_id, revision)
);
create index credentials_by_key on connection_credentials (key_id);  -- which keys may go

-- A row goes once from 'pending' to its end and never changes again. Expiry is the reader's comparison, not a state.
create table verifications (
  id              uuid primary key,
  connection_id   uuid not null,
  environment     text not null,
  revision        integer not null,
  outcome         text not null default 'pending' check (outcome in ('pending', 'verified', 'failed', 'cancelled')),
  why             text not null check (why in ('created', 'edited', 'manual', 'renewal')),
  correlation_id  text not null,
  requested_at    timestamptz not null,
  requested_by    text not null,
  deadline        timestamptz not null,
  completed_at    timestamptz,
  expires_at      timestamptz,
  failure         jsonb,           -- as the user saw it; the operator's half lies in a table of its own
  unique (connection_id, revision, id, outcome),
  foreign key (connection_id, environment) references service_connection_profiles (id, environment),
  foreign key (connection_id, revision) references connection_revisions (connection_id, revision),
  constraint ended_has_time check ((outcome = 'pending') = (completed_at is null)),
  constraint success_expires check ((outcome = 'verified') = (expires_at is not null)),
  constraint failure_explains check ((outcome in ('failed', 'cancelled')) = (failure is not null))
);
create unique index one_pending_verification on verifications (connection_id, revision) where outcome = 'pending';
create index verifications_by_connection on verifications (connection_id, requested_at desc, id desc);
create index verifications_by_end on verifications (connection_id, revision, completed_at desc);
create index verifications_pending on verifications (deadline) where outcome = 'pending';

create function keep_ended_verification() returns trigger language plpgsql as $$
begin
  raise exception 'verification % has ended and never changes again; a renewal is a new row', old.id
    using errcode = 'restrict_violation';
end
$$;
create trigger verification_ends_once before update or delete on verifications
  for each row when (old.outcome <> 'pending') execute function keep_ended_verification();

-- Takes the lock that commands take, for logins which may read connections but not change them.
create function lock_connection(locked_id uuid) returns void
  language plpgsql security definer set search_path = pg_catalog, public as $$
begin
  perform 1 from public.service_connection_profiles where id = locked_id for update;
end
$$;
revoke all on function lock_connection(uuid) from public;

alter table service_connection_profiles
  add constraint live_revision_was_proven
  foreign key (id, live_revision, live_verification_id, live_outcome)
  references verifications (connection_id, revision, id, outcome);

create table verification_steps (
  verification_id  uuid not null references verifications (id),
  environment      text not null,
  number           integer not null,
  name             text not null,
  status           text not null check (status in ('passed', 'failed', 'skipped')),
  duration_ms      double precision not null,
  evidence         jsonb not null default '{}',
  skipped_because  text,
  primary key (verification_id, number)
);

create table verification_operator_details (
  verification_id  uuid primary key references verifications (id),
  environment      text not null,
  operator_detail  text not null
);
