"""The app's own functions: pushed modules, run in Deno on transactions of the deployment's file."""
