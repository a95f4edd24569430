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
