"""The exposure log: one row for each candidate of an answered request, written by the service and read by training.

``columns`` names its columns, which are the contract between the two.
"""
