"""The proof: source and target, read again by another way than the copy's, and compared."""
