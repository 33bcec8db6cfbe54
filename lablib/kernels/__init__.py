"""The hot floor: records in, records changed. Start at `tables`, then `step`."""
