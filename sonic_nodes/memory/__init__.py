"""What a run takes, estimated before it starts: memory and time of each stage, and the plan that fits."""
