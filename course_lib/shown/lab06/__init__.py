"""What lab 06 prints, draws, searches for and compares."""
