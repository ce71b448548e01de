"""Where records go that could not be handled: their original bytes, with origin and reason beside them."""
