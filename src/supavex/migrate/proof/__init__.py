"""The proof: reads source and target again, with other code than the copy's, and compares them."""
