"""Off-policy evaluation: what another policy would have earned on requests that an exploring policy answered.

``logged`` holds the requests, ``orders`` says how a policy ranks them, ``sample`` compares two policies on them, and
``estimators`` turn that into a value.
"""
