"""What is read of a deployment, or of an export of one."""
