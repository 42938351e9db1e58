"""How work runs, not what it is: kept results and, later, tasks and executors."""
