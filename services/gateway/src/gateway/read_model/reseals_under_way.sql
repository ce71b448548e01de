select count(*) from reseals where outcome = 'pending'
