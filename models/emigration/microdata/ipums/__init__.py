"""An IPUMS CPS extract as a panel: read, recoded, linked."""
