"""File formats of other people's programs."""
