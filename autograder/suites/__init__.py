"""The hidden suites: `<assignment>/test_<name>.py` grades the grade cell `test_<name>`."""
