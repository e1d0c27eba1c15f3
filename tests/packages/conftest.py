"""The scripts are run by the tests, in children; pytest looks for no tests in them."""

collect_ignore = ["scripts"]
