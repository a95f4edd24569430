"""What a video says about its origin, beyond the label that every file has. docs/provenance.md."""
