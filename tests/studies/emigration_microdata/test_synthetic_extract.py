"""The synthetic survey, written as an IPUMS extract; there and back."""

import csv
import gzip
import warnings
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from studies.emigration_microdata.chance import FATES, said, zscore

import bayesmig as bm
from bayesmig.models.emigration.microdata import synthetic
from bayesmig.models.emigration.microdata.ipums.extract import load
from bayesmig.models.emigration.microdata.ipums.linking import link
from bayesmig.models.emigration.microdata.synthetic.ipums import VARIABLES
from bayesmig.models.emigration.microdata.synthetic.survey import survey as survey_of

ipumspy = lazily("ipumspy")

IDS = ["YEAR", "SERIAL", "PERNUM"]


# The extract


def opened(path):
    """Codebook and records, by ipumspy."""
    codebook = path.with_name(path.name.split(".")[0] + ".xml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ipumspy.readers.CitationWarning)
        ddi = ipumspy.readers.read_ipums_ddi(codebook)
    return ddi, ipumspy.readers.read_microdata(ddi, path)


def fates_of(path):
    return pd.read_csv(
        path.with_name(path.name.split(".")[0] + "_fates.csv.gz"), keep_default_na=False
    )


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extract")
    return synthetic.write_extract(folder, households=1500, years=range(1996, 2000), seed=3)


@pytest.fixture(scope="module")
def records(extract):
    return opened(extract)[1]


@pytest.fixture(scope="module")
def linked(extract, records):
    """Everybody in months 1-4 of a year that was followed by another, with fate and next record."""
    now = fates_of(extract).merge(records, on=IDS, validate="1:1")
    main = records[records.CPSIDP > 0]
    later = main.assign(YEAR=main.YEAR - 1).drop(columns=["SERIAL", "PERNUM"])
    return now.merge(later, on=["YEAR", "CPSIDP"], how="left", suffixes=("", "_later"))


def test_everything_says_that_it_is_synthetic(extract):
    for path in extract.parent.iterdir():
        assert path.name.startswith("synthetic")
    text = extract.with_name("synthetic_cps_1996_1999.xml").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    space = {"d": "ddi:codebook:2_5"}
    for place in (
        "stdyInfo/d:abstract",
        "citation/d:titlStmt/d:titl",
        "dataAccs/d:useStmt/d:citReq",
    ):
        assert "SYNTHETIC" in root.find(f"d:stdyDscr/d:{place}", space).text
    assert "10.18128" not in text  # not IPUMS' DOI


def test_codebook_and_data_are_read_by_ipumspy(extract):
    ddi, records = opened(extract)
    assert ddi.ipums_collection == "cps"
    assert ddi.samples_description == [
        f"IPUMS-CPS, ASEC {y} (SYNTHETIC)" for y in range(1996, 2000)
    ]
    asked = (
        "YEAR SERIAL MONTH CPSIDP ASECFLAG ASECOVERP MISH PERNUM ASECWT AGE SEX RACE HISPAN BPL "
        "MBPL FBPL NATIVITY CITIZEN YRIMMIG MIGRATE1 OWNERSHP EDUC SCHLCOLL HEALTH MOMLOC POPLOC"
    ).split()
    assert set(asked) == set(records.columns)
    assert not records.isna().any(axis=None)
    assert not records.duplicated(IDS).any()
    for variable in ddi.data_description:
        if variable.codes:
            strange = set(records[variable.name]) - set(variable.codes.values())
            assert not strange, (variable.name, strange)
    labels = {
        v.name: {code: label for label, code in v.codes.items()} for v in ddi.data_description
    }
    assert labels["BPL"][51500] == "Philippines"
    assert labels["BPL"][9900] == "United States, n.s."
    assert labels["MIGRATE1"][6] == "Abroad"
    assert labels["YRIMMIG"][1996] == "1994-1996"
    assert labels["CITIZEN"][5] == "Not a citizen"
    assert labels["EDUC"][73] == "High school diploma or equivalent"


def test_weights_have_four_implied_decimals(extract, records):
    with gzip.open(extract, "rt", encoding="ascii") as file:
        line = next(file)
    assert len(line.rstrip("\n")) == sum(width for _, width, _, _ in VARIABLES)
    start = 4 + 5 + 2 + 1 + 1 + 2 + 2 + 14
    assert int(line[start : start + 11]) == round(records.ASECWT.iloc[0] * 10_000)
    assert 1000 < records.ASECWT.mean() < 2000
    over = records.ASECOVERP == 1
    ratio = records.ASECWT[over].mean() / records.ASECWT[~over].mean()
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_csv_and_fixed_width_say_the_same(tmp_path):
    how = {"households": 60, "years": (2002, 2003, 2004), "seed": 5}
    paths = [
        synthetic.write_extract(tmp_path, format=f, compress=c, **how)
        for f, c in (("dat", True), ("dat", False), ("csv", True), ("csv", False))
    ]
    assert [p.name.removeprefix("synthetic_cps_2002_2004") for p in paths] == [
        ".dat.gz",
        ".dat",
        ".csv.gz",
        ".csv",
    ]
    tables = [opened(p)[1].astype(float) for p in paths]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)
    with paths[3].open(encoding="utf-8") as file:
        assert len(next(csv.DictReader(file))["ASECWT"].split(".")[1]) == 4
    ages = tables[0].groupby("YEAR").AGE
    assert ages.max()[2003] == 80  # the top codes of the released files
    assert set(tables[0].AGE[(tables[0].YEAR == 2004) & (tables[0].AGE >= 80)]) <= {80, 85}
    asians = tables[0][tables[0].RACE >= 650]
    assert (np.where(asians.YEAR >= 2003, 651, 650) == asians.RACE).all()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    contents = []
    for k, seed in enumerate((1, 1, 2)):
        (folder := tmp_path / str(k)).mkdir()
        synthetic.write_extract(folder, households=30, seed=seed)
        contents.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert len(contents[0]) == 4
    assert contents[0] == contents[1]
    differ = {name for name in contents[0] if contents[0][name] != contents[2][name]}
    assert {name.split(".")[0] for name in differ} == {
        "synthetic_cps_1996_2000",
        "synthetic_cps_1996_2000_fates",
    }


def test_years_of_immigration_come_in_both_codings(tmp_path):
    how = {"households": 150, "years": (1997, 1998), "seed": 2}
    by_year, by_interval = (
        opened(synthetic.write_extract(tmp_path, yrimmig=y, **how)) for y in ("year", "interval")
    )
    labels = [
        table.YRIMMIG.map({c: w for w, c in ddi.get_variable_info("YRIMMIG").codes.items()})
        for ddi, table in (by_year, by_interval)
    ]
    assert by_interval[1].YRIMMIG.max() < 40
    end = labels[1].str.extract(r"(\d{4})(?: or earlier)?$")[0].fillna("0").astype(int)
    assert (end.to_numpy() == by_year[1].YRIMMIG.to_numpy()).all()
    assert set(labels[1]) >= {"NIU", "1994-1997", "1996-1998", "1994-1995", "1980-1981"}
    foreign = by_year[1].CITIZEN >= 4
    assert (by_year[1].YRIMMIG[foreign] > 0).all()
    assert (by_year[1].YRIMMIG[by_year[1].CITIZEN == 1] == 0).all()


def test_a_wrong_request_for_an_extract_is_refused(tmp_path):
    write = synthetic.write_extract
    assert "no such folder" in said(bm.DataError, write, tmp_path / "x")
    assert "consecutive" in said(bm.StudyError, write, tmp_path, years=[1996, 1998])
    assert "at least two" in said(bm.StudyError, write, tmp_path, years=[1996])
    assert "1996 to 2005" in said(bm.StudyError, write, tmp_path, years=[2005, 2006])
    assert "valid: dat, csv" in said(bm.StudyError, write, tmp_path, format="sas")
    assert "valid: year, interval" in said(bm.StudyError, write, tmp_path, yrimmig="x")
    assert "1 to 40,000" in said(bm.StudyError, write, tmp_path, households=0)
    assert not list(tmp_path.iterdir())


def test_half_of_the_addresses_are_in_their_second_year(records):
    homes = records.groupby(["YEAR", "SERIAL"]).MISH
    assert (homes.nunique() == 1).all()
    entered = homes.first().le(4).groupby(level="YEAR").sum()
    assert (entered == 1500).all()
    again = homes.first().ge(5).groupby(level="YEAR").sum()
    assert ((again > 1200) & (again <= 1500)).all()
    assert set(records.MISH) == set(range(1, 9))


def test_ids_name_the_first_month_and_one_person(records):
    main = records[records.CPSIDP > 0]
    assert ((records.CPSIDP == 0) == (records.ASECOVERP == 1)).all()
    assert not main.duplicated(["YEAR", "CPSIDP"]).any()
    entered = main[main.MISH <= 4]
    months = entered.CPSIDP // 10**8
    elapsed = 12 * (entered.YEAR - months // 100) + 3 - months % 100
    assert (elapsed == entered.MISH - 1).all()


def test_whoever_is_followed_is_found_and_nobody_else(linked):
    main = linked[linked.ASECOVERP == 0]
    found = main.AGE_later.notna()
    mistaken = main.id_coincidence != ""
    followed = main.fate == "followed"
    assert (found == (followed | mistaken)).all()
    assert not (followed & mistaken).any()
    both = main[followed]
    assert (both.MISH_later == both.MISH + 4).all()
    assert (both.SEX_later == both.SEX).all()
    older = both.AGE_later - both.AGE
    assert older.between(0, 2).all()
    assert older.nunique() == 3
    for name in ("BPL", "MBPL", "FBPL", "CITIZEN", "HISPAN", "RACE"):
        assert (both[name] == both[f"{name}_later"]).all(), name
    assert (both.MIGRATE1_later[both.AGE_later > 0] == 1).all()


def test_another_person_under_the_same_id_is_of_another_sex_or_age(linked):
    mistaken = linked[linked.id_coincidence != ""]
    gone = linked[(linked.fate != "followed") & (linked.ASECOVERP == 0) & (linked.AGE > 0)]
    assert abs(zscore(mistaken.shape[0], np.full(len(gone), 0.02))) < 4
    assert set(mistaken.id_coincidence) == {"sex", "age"}
    same = mistaken.SEX_later == mistaken.SEX
    assert (same == (mistaken.id_coincidence == "age")).all()
    older = (mistaken.AGE_later - mistaken.AGE)[same]
    assert ((older <= -5) | (older >= 8)).all()


def test_who_has_left_is_replaced_by_people_with_other_ids(linked, records):
    """Everybody of an address gone, nobody merely missed: mostly there are new occupants."""
    home = linked[linked.ASECOVERP == 0].groupby(["YEAR", "SERIAL"])
    gone = home.fate.agg(lambda f: not {"followed", "lost"} & set(f))
    main = records[records.CPSIDP > 0]
    later = main[main.MISH >= 5]
    known = set(zip(main.YEAR + 1, main.CPSIDP, strict=True))
    new = np.array([i not in known for i in zip(later.YEAR, later.CPSIDP, strict=True)])
    new = later[new & (later.YEAR > 1996)]
    # a household that began with the second interview: its id names this year's month
    since = new.CPSIDP // 10**8
    occupants = new[12 * (new.YEAR - since // 100) + 3 - since % 100 == new.MISH - 5]
    homes = occupants.groupby(["YEAR", "SERIAL"]).ngroups
    assert gone.sum() > 200
    share = homes / (gone.sum() * (1 - (records.ASECOVERP == 1).mean()))
    assert 0.7 < share < 1.1
    assert set(occupants.MIGRATE1[occupants.AGE > 0]) <= {2, 3, 4, 5, 6}
    assert len(new) > len(occupants)  # some have joined those who stayed


def test_missed_households_are_not_interviewed(linked):
    lost = linked[(linked.fate == "lost") & (linked.id_coincidence == "")]
    assert len(lost) > 500
    assert lost.AGE_later.isna().all()


def test_parents_are_adults_of_the_household(records):
    for pointer, sex, born in (("MOMLOC", 2, "MBPL"), ("POPLOC", 1, "FBPL")):
        child = records[records[pointer] > 0]
        assert len(child) > 1000
        parents = records[[*IDS, "AGE", "SEX", "BPL", "CITIZEN"]]
        both = child.merge(
            parents, left_on=["YEAR", "SERIAL", pointer], right_on=IDS, suffixes=("", "_parent")
        )
        assert len(both) == len(child)
        assert (both.SEX_parent == sex).all()
        assert (both.AGE_parent - both.AGE).min() >= 13
        assert both.AGE_parent.min() >= 18
        foreign = both.CITIZEN_parent >= 4
        assert (both[born] == both.BPL_parent)[foreign].all()
        assert (both[born] == 9900)[~foreign].all()
    orphans = records[(records.AGE < 15) & (records.MOMLOC == 0) & (records.POPLOC == 0)]
    assert 0.01 < len(orphans) / (records.AGE < 15).sum() < 0.15


def test_generations_and_birthplaces_agree(records):
    foreign = records.CITIZEN >= 4
    assert (records.BPL[foreign] >= 15000).all()
    assert (records.NATIVITY[foreign] == 5).all()
    native = records[records.CITIZEN == 1]
    assert (native.BPL == 9900).all()
    mother, father = (native[name] >= 15000 for name in ("MBPL", "FBPL"))
    expected = np.select([mother & father, mother, father], [4, 3, 2], 1)
    assert (expected == native.NATIVITY).all()
    assert set(native.NATIVITY) == {1, 2, 3, 4}
    assert {2, 3} <= set(records.CITIZEN)
    mexicans = records[(records.BPL == 20000) & (records.HISPAN >= 100)]
    assert (mexicans.HISPAN < 110).mean() > 0.9
    asked = records.AGE.between(16, 24)
    assert ((records.SCHLCOLL > 0) == asked).all()
    assert ((records.EDUC == 1) == (records.AGE < 15)).all()


def test_a_year_ago_is_told_by_the_same_model(records):
    known = records[(records.MISH <= 4) & (records.AGE >= 15)]
    abroad = known.MIGRATE1 == 6
    assert ((records.MIGRATE1 == 0) == (records.AGE == 0)).all()
    assert set(known.CITIZEN[abroad]) <= {4, 5}
    back = abroad & (known.YEAR - known.YRIMMIG > 1.5)
    foreign = known.CITIZEN >= 4
    assert 0.005 < back[foreign].mean() < 0.02
    assert 0 < (abroad & ~back)[foreign].mean() < 0.05
    moved = known.MIGRATE1.between(2, 5)
    assert 0.12 < moved[foreign & ~abroad].mean() < 0.18
    owner = known.OWNERSHP == 10
    assert moved[owner].mean() < 0.6 * moved[~owner].mean()


# There and back: written, read, linked

RECODED = (
    "generation age age_group sex country origin duration years_in_us citizen owner oversample "
    "enrolment education race health"
).split()


def read_back(path):
    return link(load(path)).frame()


@pytest.fixture(scope="module", params=[("dat", "year"), ("csv", "interval")], ids=str)
def returned(request, tmp_path_factory):
    """A survey, the panel made of its extract, and who is in it, by the survey itself."""
    form, yrimmig = request.param
    years, seed = range(1999, 2003), 11
    path = synthetic.write_extract(
        tmp_path_factory.mktemp("back"),
        households=1200,
        years=years,
        seed=seed,
        format=form,
        yrimmig=yrimmig,
    )
    survey = survey_of(synthetic.default_truth(), 1200, list(years), np.random.default_rng(seed))
    people = survey.fates.merge(survey.records, on=["year", "serial", "pernum"])
    main = people[~people.oversample]
    rows = main[(main.generation != "third") & ((main.age >= 15) | (main.generation == "first"))]
    return path, read_back(path), rows[rows.age >= 1]


def test_reading_finds_again_who_was_simulated(returned):
    _, panel, people = returned
    key = ["year", "serial", "pernum"]
    both = people.merge(panel, on=key, how="outer", suffixes=("", "_read"), indicator=True)
    assert not (both._merge == "right_only").any()
    left_out = both[both._merge == "left_only"]  # children without a usable parent
    assert (left_out.age < 15).all()
    assert 0 < len(left_out) < 0.2 * (people.age < 15).sum()
    both = both[both._merge == "both"]
    for name in RECODED:
        one, two = (both[c].astype(object).fillna(-1) for c in (name, f"{name}_read"))
        assert (one == two).all(), name
    np.testing.assert_allclose(both.weight, both.weight_read, rtol=0, atol=1e-9)
    moved = both.residence.map({"same": 0, "moved": 1, "abroad": -1, "": -1})
    assert (both.moved.fillna(-1).astype(int) == moved).all()
    back = (both.residence == "abroad") & (both.years_in_us > 1.5)
    asked = (both.generation == "first").to_numpy()
    assert (both.returned[asked].astype(int) == back[asked]).all()
    child = both[both.age < 15]
    assert (
        child.parent_pernum == np.where(child.mother > 0, child.mother, child.father)
    ).mean() > 0.9


def test_linking_finds_exactly_those_followed(returned):
    path, panel, people = returned
    loaded = load(path)
    key = ["year", "serial", "pernum"]
    fate = panel.merge(people[[*key, "fate", "id_coincidence"]], on=key, validate="1:1")
    assert (fate.followed.astype(bool) == (fate.fate == "followed")).all()
    assert fate.id_coincidence.value_counts()[["sex", "age"]].min() >= 5
    for rules, taken in (
        ({"sex": False}, {"sex"}),
        ({"age_difference": None}, {"age"}),
        ({"sex": False, "age_difference": None}, {"sex", "age"}),
    ):
        lax = link(loaded, **rules).frame()[[*key, "followed"]]
        both = fate.merge(lax, on=key, suffixes=("", "_lax"))
        wrong = both[both.followed_lax.astype(bool) & (both.fate != "followed")]
        assert set(wrong.id_coincidence) <= taken
        if "age" in taken:
            assert len(wrong) > 0
            assert set(both.id_coincidence[both.followed_lax.astype(bool)]) == {"", *taken}
        assert (both.followed_lax.astype(bool) >= both.followed.astype(bool)).all()


def test_fates_in_the_survey_have_the_probabilities_expected(tmp_path):
    """Without shared lots persons are independent; with them the shares stay what they are."""
    truth = synthetic.scenario("second_generation_emigrates")
    for shared, bound in ((0.0, 4.0), (0.6, 6.0)):
        lots = {"child_with_parent": shared, "adult_with_householder": shared}
        truth["survey"] |= lots
        path = synthetic.write_extract(
            tmp_path, truth, households=5000, years=(2000, 2001), seed=round(10 * shared)
        )
        panel = read_back(path)
        fates = fates_of(path).rename(columns={name: name.lower() for name in IDS})
        fate = panel.merge(fates, on=["year", "serial", "pernum"], validate="1:1").fate
        chance = synthetic.expected(panel, truth)
        first = panel.generation == "first"
        for whose in (first & (panel.age >= 15), first & (panel.age < 15), ~first):
            for name in FATES:
                rows = whose.to_numpy()
                if chance[name][rows].sum() > 0:
                    z = zscore(fate[rows] == name, chance[name][rows])
                    assert abs(z) < bound, (shared, name, z)
                else:
                    assert not (fate[rows] == name).any()
