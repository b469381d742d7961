"""What a running daemon tells of itself: hooks that its parts call, and who reads what they keep."""
