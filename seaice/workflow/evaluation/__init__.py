"""A product and a reference in, or methods and simulated worlds; reports of errors out."""
