"""What tests and benches share: independent implementations, weights and pictures of known content, probes."""
