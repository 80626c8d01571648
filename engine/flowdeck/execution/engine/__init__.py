"""The life of a flow run and of a task call, written once for every driver."""
