"""The stages of `learn.reproduce`: populations, simulations, films, measurements, trainings, the table of claims."""
