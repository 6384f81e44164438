"""Data files: found below the declared folder, or downloaded by address and sha256. Nothing else is read."""

import contextlib
import hashlib
import http.client
import os
import re
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import AbsentError, FetchError

BLOCK = 1 << 16
SIZE_LIMIT = 1 << 30
"""Largest download, bytes: more than any text file of a spectrum, less than what fills a disk."""


@dataclass(frozen=True)
class Located:
    """A file that was found and is the declared one.

    Parameters
    ----------
    path : Path
    sha256 : str
        Of the file as it was read, whether a sum was declared or not.
    source : str
        ``"data folder"``, ``"cache"``, or the address it was downloaded from.
    """

    path: Path
    sha256: str
    source: str


def locate(
    file, *, data_folder=None, url=None, sha256=None, cache_folder=None, timeout=20.0, time_limit=600.0, size_limit=None
):
    """Return a data file: below the data folder, else from the cache, else from its address.

    Parameters
    ----------
    file : str
        Path relative to the data folder.
    data_folder : Path, optional
        The only folder that files are read from; links that lead outside are refused.
    url : str, optional
        http or https; used only where ``sha256`` is declared too.
    sha256 : str, optional
        64 hexadecimal digits. A download with another sum is removed; a local file is left as it is.
    cache_folder : Path, optional
        Where downloads are kept. Without it nothing is downloaded.
    timeout, time_limit : float, s
        For each answer of the server, and for the whole download.
    size_limit : int, optional
        Bytes, :data:`SIZE_LIMIT` if not given.

    Returns
    -------
    Located

    Raises
    ------
    FetchError
        The file is nowhere to be had, or it is not the declared one.
    """
    parts = _relative_parts(file)
    found = _below(data_folder, parts, file)
    if found is not None:
        return Located(
            found, _checked_sum(found, sha256, "put the declared file there, or correct sha256"), "data folder"
        )
    if url is None or sha256 is None or cache_folder is None:
        raise _absent(file, data_folder, url, sha256)
    target = _cache_path(cache_folder, sha256, parts)
    if target.is_file() and sha256_of(target) == sha256:
        return Located(target, sha256, "cache")
    _download(url, target, sha256, timeout, time.monotonic() + time_limit, size_limit or SIZE_LIMIT)
    return Located(target, sha256, url)


def is_available(file, *, data_folder=None, url=None, sha256=None, cache_folder=None, timeout=5.0):
    """Tell whether :func:`locate` has something to read: a local file, or a server that answers for the address.

    The content is not looked at; a file with a wrong sum is available, and :func:`locate` refuses it.
    """
    parts = _relative_parts(file)
    if _below(data_folder, parts, file) is not None:
        return True
    if url is None or sha256 is None or cache_folder is None:
        return False
    if _cache_path(cache_folder, sha256, parts).is_file():
        return True
    try:
        with _opener().open(_request(url), timeout=timeout) as answer:
            return 200 <= answer.status < 300
    except (OSError, http.client.HTTPException):
        return False


def sha256_of(path):
    """Return the sha256 of a file's bytes, 64 hexadecimal digits."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _relative_parts(file):
    """Return the parts of a path that stays below its folder, or raise."""
    text = str(file)
    parts = PurePosixPath(text).parts
    windows = PureWindowsPath(text)
    if not parts or PurePosixPath(text).is_absolute() or windows.drive or windows.root or "\0" in text:
        raise _outside(text, "a path relative to the data folder")
    if ".." in windows.parts:
        raise _outside(text, "a path without '..'")
    return parts


def _outside(file, expected):
    return FetchError(
        "data files are read only below the declared data folder",
        where=f"file: {file!r}",
        expected=expected,
        got=repr(file),
        fix="put the file below the data folder and give its path from there",
    )


def _below(folder, parts, file):
    """Return the regular file below ``folder``, None where there is none; raise where a link leads outside."""
    if folder is None:
        return None
    root = Path(folder).resolve()
    path = root.joinpath(*parts)
    try:
        target = path.resolve(strict=True)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError) as error:
        raise FetchError("a data file cannot be reached", where=str(path), got=str(error), fix="repair it") from error
    if not target.is_relative_to(root):
        raise _outside(str(file), f"a file below {root}")
    if not target.is_file():
        raise FetchError(
            "a data file is not a regular file", where=str(path), expected="a file", fix="correct the path"
        )
    return target


def _checked_sum(path, expected, fix):
    try:
        got = sha256_of(path)
    except OSError as error:
        raise FetchError("a data file cannot be read", where=str(path), got=error.strerror, fix="allow it") from error
    if expected is not None and got != expected:
        raise FetchError(
            "a data file is not the declared one: its sha256 differs",
            where=str(path),
            expected=expected,
            got=got,
            fix=fix,
        )
    return got


def _absent(file, folder, url, sha256):
    looked = "no data folder is declared" if folder is None else f"looked below {Path(folder).resolve()}"
    if url is None:
        reason = "no address is declared"
    elif sha256 is None:
        reason = "its address has no sha256, so it is not downloaded"
    else:
        reason = "no folder to download to is given"
    return AbsentError(
        "a data file is absent",
        where=f"file: {file}",
        expected="the file below the data folder, or an address with its sha256",
        got=f"{looked}; {reason}",
        fix="set SPINSCAPE_DATA to the folder that holds it, or declare url and sha256",
    )


def _cache_path(folder, sha256, parts):
    if re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
        raise FetchError("a sha256 has 64 hexadecimal digits", where="sha256", got=sha256, fix="correct it")
    # Named after its content: two studies never overwrite each other's file.
    return Path(folder) / sha256[:16] / parts[-1]


def _opener():
    """Return an opener that knows http and https only, also where a server redirects."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _request(url):
    scheme = urllib.parse.urlsplit(url).scheme
    if scheme not in ("http", "https"):
        raise FetchError(
            "data are downloaded over http and https only", where=f"url: {url}", got=scheme, fix="correct the address"
        )
    return urllib.request.Request(url, headers={"User-Agent": "spinscape"})


def _download(url, target, sha256, timeout, deadline, size_limit):
    """Download to a temporary file beside ``target``, verify it, and move it there in one step."""
    request = _request(url)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                for block in _blocks(request, timeout, deadline, size_limit):
                    out.write(block)
            _checked_sum(temporary, sha256, f"the download was removed; correct sha256, or ask whoever keeps {url}")
            temporary.replace(target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()
    except OSError as error:
        raise FetchError(
            "a downloaded file cannot be kept",
            where=str(target),
            got=error.strerror,
            fix="check the folder and its space",
        ) from error


def _blocks(request, timeout, deadline, size_limit):
    """Yield the body of an answer in blocks; raise where it is cut off, too large or too slow."""
    url = request.full_url
    received = 0
    try:
        with _opener().open(request, timeout=timeout) as answer:
            declared = answer.headers.get("Content-Length", "")
            while block := answer.read(BLOCK):
                received += len(block)
                _check_limits(url, received, size_limit, deadline)
                yield block
    except urllib.error.HTTPError as error:
        raise _unreachable(url, f"the server answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(url, getattr(error, "reason", None) or error) from error
    if declared.isdigit() and received != int(declared):
        raise FetchError(
            "a download was cut off",
            where=url,
            expected=f"{declared} bytes",
            got=f"{received} bytes",
            fix="try again; nothing was kept",
        )


def _check_limits(url, received, size_limit, deadline):
    if received > size_limit:
        raise FetchError(
            "a download is too large", where=url, expected=f"at most {size_limit} bytes", fix="check the address"
        )
    if time.monotonic() > deadline:
        raise FetchError("a download takes too long", where=url, got=f"{received} bytes so far", fix="try again")


def _unreachable(url, reason):
    return AbsentError(
        "a data file cannot be downloaded",
        where=url,
        got=str(reason) or type(reason).__name__,
        fix="check the address and the network, or put the file below the data folder (SPINSCAPE_DATA)",
    )
