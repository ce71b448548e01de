-- The steps of a verification become a value of its row: number → step. What it has heard and how it ended are then one
-- row, which changes as one: no step outlives its verification, and none changes once that has ended.

alter table verifications add column steps jsonb not null default '{}'
  constraint steps_by_number check (jsonb_typeof(steps) = 'object');
alter table connection_tests add column steps jsonb not null default '{}'
  constraint steps_by_number check (jsonb_typeof(steps) = 'object');
grant update (steps) on verifications, connection_tests to clearline_projector;
