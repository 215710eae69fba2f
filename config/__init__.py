"""Settings: what an operator may choose, composed of the options that components own, filled from profile and
environment.

Owner of nothing but values. It sits above `runtime` (a component owns its options, their units, reasons
and rules) and below the composition root and the command line, which alone import it. It opens no
connection and starts nothing.
"""
