"""What files say of themselves: conventions, provenance, catalogue, time of making."""
