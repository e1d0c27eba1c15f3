"""The words of an age: the order in which they were given, and what they mean today."""
