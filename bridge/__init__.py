"""From simulated cells to the pictures a microscope would take, and from recordings to the same Dataset."""
