"""CS-Bench: computer science, multiple choice and true or false."""
