"""An extract in parts: its pairs of years, counted apart, add up to the whole."""

import json
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import xarray as xr
from studies.emigration_microdata.chance import said

import bayesmig as bm
from bayesmig.clusters import dask_executor
from bayesmig.models.emigration.microdata import synthetic
from bayesmig.models.emigration.microdata.counts import attributes, clustering
from bayesmig.models.emigration.microdata.ipums import parts
from bayesmig.models.emigration.microdata.ipums.extract import load

STUDY = bm.load_study("emigration_microdata")
YEARS = (2001, 2002, 2003, 2004)


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survey")
    return synthetic.write_extract(folder, households=1_500, years=YEARS, seed=3, format="csv")


@pytest.fixture(scope="module")
def folder(extract):
    return parts.write(load(extract), extract.with_name("in parts, o'clock"))


def same(found, whole):
    """Equal; sums of weights, and of residuals, but for last digits: they come in another order."""
    sums = ["weight", "design_effect"]
    for name in sums:
        np.testing.assert_allclose(found[name], whole[name], rtol=1e-9)
    xr.testing.assert_identical(found.drop_vars(sums), whole.drop_vars(sums))
    return True


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"years": (2001, 2003), "citizens": True},
        {"covariates": ("country", "owner"), "mortality": "marginal", "sex": False},
    ],
    ids=str,
)
def test_parts_add_up_to_the_whole(extract, folder, options):
    whole = STUDY.read(extract, **options)
    assert same(STUDY.read(folder, **options), whole)
    flow = attributes.flow(whole)
    assert flow[flow.step == "records"].persons.tolist()[-1] > 9_000


def test_effective_persons_of_parts_are_those_of_the_whole(extract, folder):
    found, whole = (STUDY.read(path, counted="effective") for path in (folder, extract))
    assert found.attrs == whole.attrs
    xr.testing.assert_allclose(found, whole, rtol=1e-9)
    assert whole.people.sum() < STUDY.read(extract).people.sum()


def test_a_sample_of_households_is_the_same_in_parts(extract, folder, monkeypatch):
    everybody = STUDY.read(extract).design_effect
    monkeypatch.setattr(clustering, "PERSONS", 500)
    found, whole = STUDY.read(folder).design_effect, STUDY.read(extract).design_effect
    np.testing.assert_allclose(found, whole, rtol=1e-9)
    assert (found != everybody).any()


def test_workers_count_the_same(folder):
    whole = STUDY.read(folder)
    with ThreadPoolExecutor(2) as threads:
        assert same(STUDY.read(folder, executor=threads), whole)


@pytest.mark.fits  # processes start
@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_processes_count_the_same(folder, engine):
    if engine == "dask":
        workers = dask_executor("local", workers=2)
    else:
        workers = ProcessPoolExecutor(2, mp_context=get_context("spawn"))
    with workers as executor:
        assert same(STUDY.read(folder, executor=executor), STUDY.read(folder))


def test_what_is_no_extract_in_parts_is_said(extract, folder, tmp_path):
    assert "no extract.json" in said(bm.DataError, STUDY.read, tmp_path)
    (tmp_path / "extract.json").write_text(json.dumps({"month": "March"}))
    assert "no extract.json that says" in said(bm.DataError, STUDY.read, tmp_path)
    assert "2009 cannot be followed up" in said(bm.DataError, STUDY.read, folder, years=(2009,))
    assert "month=3 reads them" in said(bm.DataError, STUDY.read, folder, month=9)
    message = said(bm.StudyError, STUDY.read, folder, ddi="a.xml", labels="ignore")
    assert "ddi, labels can change nothing" in message
    with ThreadPoolExecutor(1) as threads:
        assert "folder of parts" in said(bm.StudyError, STUDY.read, extract, executor=threads)
    for path in folder.glob("year=2003/*"):
        path.rename(tmp_path / path.name)
    message = said(bm.DataError, STUDY.read, folder)
    assert "no records of 2003; it has 2001, 2002, 2003, 2004" in message
    (broken,) = tmp_path.glob("*.parquet")
    (folder / "year=2003" / broken.name).write_bytes(broken.read_bytes()[:-9])
    assert "No magic bytes" in said(bm.DataError, STUDY.read, folder)
    broken.replace(folder / "year=2003" / broken.name)


def test_a_folder_that_is_there_is_left_alone(extract, folder, tmp_path):
    assert "is there already" in said(bm.DataError, parts.write, load(extract), folder)
    (tmp_path / "file").write_text("")
    message = said(bm.DataError, parts.write, load(extract), tmp_path / "file" / "parts")
    assert "cannot be written" in message
