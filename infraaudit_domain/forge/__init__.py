"""What is sent to a forge: where its API is, and what a commit's statuses say."""
