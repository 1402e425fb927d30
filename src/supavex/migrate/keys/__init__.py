"""Keys of 16 bytes: sets of them, hashes of them, and the references by them."""
