"""Keys of 16 bytes: sets of them, hashes of them, and which of them refer to which."""
