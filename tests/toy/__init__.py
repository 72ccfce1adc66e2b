"""A toy paper for tests of the engine: one continuous outcome and six discrete ones."""

from bayesmig.study import Study

study = Study(
    name="toy",
    title="Seven outcomes of people who moved some distance",
    citation="Nobody.  A paper for tests.",
    package=__name__,
    people=("person",),
    sampling={"draws": 500, "tune": 500},
)
