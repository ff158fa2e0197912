"""Networks as files: listed, described, imported from others, exported in other forms."""
