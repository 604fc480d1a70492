"""The simulated inverter of the demo and the day in its house: a table."""

PROFILE = "max-8000"
PLANT_SPEED = 60  # an hour of the plant's day in a minute
BEGIN = "time 09:30; soc 58; pv curve 3900 2600; load 640; grid on"
# A day in the house: seconds after its begin, line for the simulator. It repeats.
DAY = (
    (4.0, "load 2600"),
    (8.0, "pv curve 2100 1500"),
    (12.0, "load 700"),
    (16.0, "grid off"),
    (20.0, "load 3900"),
    (24.0, "pv curve 1300 700"),
    (30.0, "load 900"),
    (33.0, "pv curve 4300 2900"),
    (38.0, "grid on"),
    (42.0, "load 6200"),
    (47.0, "pv curve 3000 1100"),
    (51.0, "load 400"),
    (55.0, "pv curve 3900 2600"),
)
DAY_LENGTH = 58.0
