"""Classifiers of cells from picture and mechanics, trained on Datasets."""
