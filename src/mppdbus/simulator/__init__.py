"""A simulated PI30 inverter, for tests, demos and other programs.

It shares only the framing with the driver, so that the two cannot make the same
mistake. `line.simulator.simulate` builds one, `ports.server` puts it on a pty or TCP.
"""
