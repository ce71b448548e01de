select count(*) from verifications where outcome = 'pending' and why = 'renewal'
