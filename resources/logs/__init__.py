"""Where the lines of deployed containers are kept."""
