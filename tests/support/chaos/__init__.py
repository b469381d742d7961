"""A whole market in processes, and what befalls it: kills, dropped endpoints, reorganisations, restarts of storage."""
