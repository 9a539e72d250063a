"""Any file as rows: what kind it is, what it holds, and the rows themselves, read in a child process."""
