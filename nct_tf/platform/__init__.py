"""What depends on the machine: files, processes, optional packages."""
