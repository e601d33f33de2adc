"""What the checker knows of each exercise: solution, hints, classic mistakes. First, try it."""
