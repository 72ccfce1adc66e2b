"""Migration aspirations and behaviour: the random-intercept multinomial logit (MxFLS)."""

from bayesmig.study import Study

study = Study(
    name="social_capital",
    title="Migration aspirations, social capital and migration, Mexico 2002-2005/6",
    citation=(
        "Manuscript on migrant networks, aspirations to migrate and migration to the United "
        "States in the Mexican Family Life Survey, 2002 and 2005/6 (authors not named)."
    ),
    package=__name__,
    # people, and groups of several columns, of which some (households) are few people
    people=("row", "member", "member_1", "member_2", "member_3", "member_4"),
    sampling={"draws": 1000, "tune": 500, "target_accept": 0.9},
)
