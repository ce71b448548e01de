"""The commands, one group or act a file. They import nothing heavy before they run: `--help` answers at once."""
