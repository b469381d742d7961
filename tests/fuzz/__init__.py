"""Every decoder of what others send, fed with millions of mutated inputs (docs/testing.md, "Fuzzing")."""
