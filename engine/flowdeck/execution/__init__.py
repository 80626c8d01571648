"""One run's life: the engine body written once, the drivers that run it, the recorder that keeps its facts."""
