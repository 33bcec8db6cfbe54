"""The lab in a browser: Voilà with the doors shut."""
