"""What maintains the sources and is installed nowhere."""
