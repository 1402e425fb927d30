"""The command line: one verb a module, thin over a library function."""
