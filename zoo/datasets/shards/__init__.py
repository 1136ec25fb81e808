"""Images in shards: tar files of images and labels, read in place."""
