"""Labels of the covariates, in their usual order: for reading, counting, and simulating."""

AGES = tuple(
    "0-14 15-19 20-24 25-29 30-34 35-39 40-44 45-49 50-54 55-59 60-64 65-69 70-74 75+".split()
)
COUNTRIES = {  # country, as the rows of Table 13, to the models' origin
    "Mexico": "Mexico",
    "Central America": "Central America",
    "North America": "North America",
    "Cuba": "Cuba",
    "Dominican Republic": "Caribbean",
    "Other Caribbean": "Caribbean",
    "Europe": "Europe",
    "China": "China",
    "India": "India",
    "Philippines": "Asia",
    "Korea": "Asia",
    "Other Asia": "Asia",
    "Africa": "Africa",
    "Other": "Other",
}
ORIGINS = tuple(dict.fromkeys(COUNTRIES.values()))
REGIONS = {  # rows of Table 13 that hold those printed below them
    "Caribbean": ("Cuba", "Dominican Republic", "Other Caribbean"),
    "Asia": ("China", "India", "Philippines", "Korea", "Other Asia"),
}
GENERATIONS = ("first", "second", "third")
SEXES = ("Female", "Male")
DURATIONS = ("0-4 yrs", "5-9 yrs", "10+ yrs")
CITIZENS = ("Naturalized", "Not a citizen")
ENROLMENTS = ("High school", "College", "Not enrolled")
EDUCATIONS = ("Less than high school", "High school", "Some college", "College graduate")
RACES = ("White", "Black", "Mexican", "Hispanic", "Other")
HEALTHS = ("Excellent", "Very good", "Good", "Fair", "Poor")
