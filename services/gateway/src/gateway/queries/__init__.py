"""What people may ask, one question a file, each bounded: page size, statement timeout, the caller's own rights."""
