"""Names and limits of what a user may choose, apart from the work so that `sonic --help` stays quick."""

FIELDS = (  # of AIGC, in the order of the standard
    "Label",
    "ContentProducer",
    "ProduceID",
    "ReservedCode1",
    "ContentPropagator",
    "PropagateID",
    "ReservedCode2",
)
SETTABLE = FIELDS[1:]
CORNERS = ("bottom-right", "bottom-left", "top-right", "top-left")
MIN_SIZE, MAX_SIZE, DEFAULT_SIZE = 0.05, 0.2, 0.06  # of letters, by the picture's shorter side
