"""Templates of the digest: a package only so that they are shipped with it."""
