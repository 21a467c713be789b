"""What lab 05 prints, draws, searches for and compares."""
