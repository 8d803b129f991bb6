"""Searches a fusion's parameters on live traffic, in rounds of experiments; :class:`Search` decides what comes next."""
