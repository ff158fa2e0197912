"""Fine brightness temperature in, concentration out."""
