"""The demo: a whole market on this machine, every party a process of its own, cheaters included."""
