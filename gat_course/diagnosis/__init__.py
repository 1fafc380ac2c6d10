"""The doctor for a reader's own model: what in its behaviour departs from the paper."""
