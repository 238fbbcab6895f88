"""GTA: the next step of a tool-using agent, from text alone."""
