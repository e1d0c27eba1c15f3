"""What is run in child processes is not imported here."""

collect_ignore = ["scripts", "run_scripts.py", "old_models.py"]
