select insert_renewal($1, $2, $3, $4, $5, $6, $7)
