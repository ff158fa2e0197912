"""Concentration networks, one file each; `seaice.sic.catalogue` lists them."""
