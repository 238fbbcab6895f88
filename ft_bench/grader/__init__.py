"""The grader: the only room that reads the test split."""
