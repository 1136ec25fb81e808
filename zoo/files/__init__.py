"""Files and streams of any kind: JSON, disks that take nothing more, standard output, paths."""
