"""The paper's own choices: its years, classes of stays, knots and the scale of its crossings."""

FIRST_YEAR, LAST_YEAR, FIRST_SURVEY = 1980, 2016, 1987  # its window (Sections 2 and 9)
RESPONDENTS = 3_480  # heads of household that it kept (Sections 2 and 9)
PIECES = 4  # between 1980 and knots at t = 10, 19, 28, 37, which is 1989 to 2016 (Section 11)
SINGLE_YEARS = 20  # longer sojourns form one class, spread evenly (Section 11)
# millions, 1990-2016 (Fazel-Zarandi, Feinstein and Kaplan, in Section 12)
CROSSINGS, CROSSINGS_SINCE = 38.8, 1990
PROB, Z = 0.95, 1.96  # of its intervals, and the multiplier of its standard errors
