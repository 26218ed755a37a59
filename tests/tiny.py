"""A small cell in a short channel, as a user writes it: through in about a second at draft."""

TINY = """
name = "tiny"
[fluid]
pressure_drop = 2e3
[channel]
width = 10.4e-6
constriction_length = 8e-6
entry_taper = 5e-6
exit_taper = 5e-6
inlet_length = 8e-6
outlet_length = 24e-6
[cell]
diameter = 7e-6
ks = 5e-3
kb = 5e-17
start_x = -5.5e-6
"""
