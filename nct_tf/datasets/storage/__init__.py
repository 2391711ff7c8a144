"""Where decoded images lie: in memory, on the disk, or nowhere."""
