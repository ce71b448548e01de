select erase_connection($1)
