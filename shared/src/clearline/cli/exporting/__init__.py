"""`clearline export`: what is configured, as a file that `clearline apply` reads back and finds unchanged."""
