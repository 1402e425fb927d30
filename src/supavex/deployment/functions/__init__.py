"""The app's own functions: pushed modules, evaluated and run in Deno, on transactions of the deployment's file."""
