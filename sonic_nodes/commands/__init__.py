"""The command `sonic`. Each subcommand has a file for its options, so that `sonic --help` stays quick, and one for its
work."""
