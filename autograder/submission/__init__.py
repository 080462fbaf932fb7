"""What was handed in: read once, within limits, and made whole from the release."""
