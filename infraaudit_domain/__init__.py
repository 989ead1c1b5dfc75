"""Pure decisions and the names of things: standard library only, no I/O, no clock."""
