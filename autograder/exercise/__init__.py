"""All that an author writes a suite with."""
