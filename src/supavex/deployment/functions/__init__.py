"""The app's own functions: pushed modules, evaluated and run in V8, on transactions of the deployment's file."""
