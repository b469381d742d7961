"""What every Fairshare role shares, and the market's own services."""
