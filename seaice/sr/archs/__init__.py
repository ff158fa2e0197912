"""Super-resolution networks, one file each; `seaice.sr.catalogue` lists them."""
