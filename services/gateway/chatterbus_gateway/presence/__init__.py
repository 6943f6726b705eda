"""Who is connected here, told to the notifier; and who is where, told to those who may know."""
