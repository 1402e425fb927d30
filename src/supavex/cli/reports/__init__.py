"""The printed reports of the commands, one module for each: functions from a result to lines."""
