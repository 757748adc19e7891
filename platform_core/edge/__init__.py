"""What stands at the edge of HTTP, before any route is looked at: headers, foreign origins, and how much is read."""
