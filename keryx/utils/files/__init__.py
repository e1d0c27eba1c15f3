"""Files that are fetched, unpacked and read: images, texts, sounds, and data sets of them."""
