"""Reports for people: the page of a whole store, everything about one track, and the summary of a run."""
