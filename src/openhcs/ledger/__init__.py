"""What an output knows about itself: commit records, locks, staging; every well whole or not there."""
