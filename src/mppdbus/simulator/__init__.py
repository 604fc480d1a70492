"""A PI30 inverter without the inverter: for tests, demos and other people's clients.

It shares the framing with the driver and nothing else, so that the two cannot make
the same mistake. `simulator.simulate` builds one, `server` puts it on a pty or TCP.
"""
