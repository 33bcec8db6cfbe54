"""The market without us, as sorted events: drawn by the lab, or recorded by others."""
