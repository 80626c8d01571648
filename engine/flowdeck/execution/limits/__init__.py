"""What bounds or interrupts a call: time limits, signals, retry timers, lent worker slots."""
