"""`clearline apply`: what differs between files and gateway (`difference`), and one item at a time made so (`turn`)."""
