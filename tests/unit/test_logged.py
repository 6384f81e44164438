"""A stage's log: output kept, known errors told once, unknown ones with their traceback."""

import logging
import sys

import pytest

from spinscape.errors import DataError
from spinscape.stages.logged import logged


def test_output_goes_to_the_log_and_progress_to_both(tmp_path, capsys):
    with logged(tmp_path / "a.log"):
        print("a result")
        print("progress", file=sys.stderr)
    said = capsys.readouterr()
    assert (tmp_path / "a.log").read_text() == "a result\nprogress\n"
    assert (said.out, said.err) == ("", "progress\n")


def test_a_known_error_is_one_text_and_status_one(tmp_path, capsys):
    with pytest.raises(SystemExit) as end, logged(tmp_path / "a.log"):
        raise DataError("the file is short", where="a.csv", fix="fetch it again")
    text = "error: the file is short\n  where: a.csv\n  fix: fetch it again\n"
    assert end.value.code == 1
    assert (tmp_path / "a.log").read_text() == capsys.readouterr().err == text


def test_an_unknown_error_keeps_its_traceback(tmp_path):
    with pytest.raises(ZeroDivisionError), logged(tmp_path / "a.log"):
        _ = 1 / 0
    assert "Traceback" in (tmp_path / "a.log").read_text()


def test_streams_are_given_back(tmp_path):
    before = sys.stdout, sys.stderr
    with pytest.raises(SystemExit), logged(tmp_path / "a.log"):
        raise DataError("x")
    assert (sys.stdout, sys.stderr) == before


def test_messages_of_the_package_are_kept(tmp_path, capsys):
    with logged(tmp_path / "a.log"):
        logging.getLogger("spinscape.stages.fit").info("a message")
    logging.getLogger("spinscape.stages.fit").info("too late")
    assert (tmp_path / "a.log").read_text() == capsys.readouterr().err == "a message\n"
