select id from connection_tests
where outcome = 'pending' and deadline < $1
order by deadline
limit $2
for update skip locked
