select environments_without_admin($1)
