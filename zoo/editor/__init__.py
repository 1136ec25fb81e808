"""What editors read and what is written into a user's recipe: schema, first line, single values."""
