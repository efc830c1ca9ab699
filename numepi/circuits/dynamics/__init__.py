"""Models written as plain Python: traced once, simplified, differentiated and compiled."""
