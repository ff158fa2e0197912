"""Which granules there are, and which of them do harm."""
