"""Joins the exposure log with events: what was shown and what came of it, as a training log.

``event_files`` reads events, ``matching`` finds the exposure of each, ``labels`` adds up what an exposure got, and
``join`` does all of it from files to files, in bounded memory and incrementally.
"""
