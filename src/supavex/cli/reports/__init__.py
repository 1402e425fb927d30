"""What the commands print for people: one report a module, made from a result, as lines."""
