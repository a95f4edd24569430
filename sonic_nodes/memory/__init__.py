"""What a run takes, estimated before it starts: memory and time of each stage, and the plan that fits."""

# How a run uses memory, as users choose it: plan.py.
KINDS = ("auto", "batched", "sequential", "offload", "streamed")
