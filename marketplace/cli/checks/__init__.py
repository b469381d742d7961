"""What `fairshare doctor` looks at, by what it is about."""
