"""Persons as counts: by pattern of covariates, in printed cells, looked up by the graph."""
