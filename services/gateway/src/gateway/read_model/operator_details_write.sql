insert into verification_operator_details (verification_id, environment, operator_detail)
select * from unnest($1::uuid[], $2::text[], $3::text[])
on conflict do nothing
