"""How tasks run: task, executors, queue, supervisor, worker processes, resources of the machine."""
