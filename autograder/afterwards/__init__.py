"""What is made of a whole class's grades once they are there."""
