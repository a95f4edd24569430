"""Many jobs from a list: the list read and checked, jobs shared out among workers, and a journal from which a batch
goes on after any end. Knows neither options nor engines: commands/batch.py brings them."""
