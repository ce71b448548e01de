-- The events that have had no effect yet; from now on they have.
insert into inbox (day, consumer, event_id)
select day, $1, event_id from unnest($2::date[], $3::uuid[]) as taken (day, event_id)
order by day, event_id
on conflict do nothing
returning event_id
