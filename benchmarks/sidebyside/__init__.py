"""The same training by this market, by a bare loop and by Flower: what each takes in time and memory."""
