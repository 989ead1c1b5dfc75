"""What a scan is: what the scanner is asked, what it should have read, what it found, and what that proves."""
