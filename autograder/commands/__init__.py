"""What one types: a file a command, each imported when it is called."""
