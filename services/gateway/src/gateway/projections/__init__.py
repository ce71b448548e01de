"""Read models: one file each, in the table `PROJECTIONS` that names them all."""
