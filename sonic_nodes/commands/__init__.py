"""The command `sonic`: one file a subcommand, its options in a file of their own so that `sonic --help` stays quick."""
