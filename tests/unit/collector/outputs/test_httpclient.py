"""Small parts of the HTTP client: how long to wait, which URLs are taken."""

from __future__ import annotations

import email.utils
import time

import pytest

from driftline.errors import SettingsError
from driftline_collector.outputs.httpclient import _seconds, split_url


@pytest.mark.parametrize(("text", "seconds"), [("", 0), ("7", 7), ("-1", 0), ("soon", 0), ("9" * 500, 999_999)])
def test_retry_after_in_seconds(text: str, seconds: float) -> None:
    assert _seconds(text) == seconds


def test_retry_after_as_a_date() -> None:
    assert 50 < _seconds(email.utils.formatdate(time.time() + 60, usegmt=True)) <= 60
    assert _seconds(email.utils.formatdate(time.time() - 60, usegmt=True)) == 0


@pytest.mark.parametrize("url", ["http://h", "https://h:1/a?b=c", "http://[::1]:8080/"])
def test_urls_that_can_be_posted_to(url: str) -> None:
    assert split_url(url).hostname in ("h", "::1")


BAD = (
    *("", "host", "ftp://h", "file:///a", "http://", "http:///a", "http://h:0", "http://h:x", "http://h/ a"),
    *("http://h/\n", "http://h/#a", "https://u:p@h/", "https://u@h/", "http://h/ä", "http://[::1/", "javascript:a()"),
)


@pytest.mark.parametrize("url", BAD)
def test_urls_that_cannot(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        split_url(url)
    assert not url or url == "http://" or url not in str(caught.value)
