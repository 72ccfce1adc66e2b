"""A toy paper: how many of three groups returned within five years."""

from bayesmig.study import Study

study = Study(
    name="_skeleton",
    title="A toy paper: return within five years, three groups",
    citation="Nobody, A.  A toy paper of three printed numbers.  Journal of Examples 1, 1-3.",
    package=__name__,
    sampling={"target_accept": 0.95},
)
