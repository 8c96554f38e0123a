"""What is opened for an address."""

import urllib.request

import pytest

from audioae.web import open_web


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/a.wav", "a.wav"])
def test_only_web_servers_are_asked(address):
    with pytest.raises(ValueError, match=f"{address}: expected an address that begins with http:// or https://"):
        open_web(address, 1.0)


def test_a_request_is_checked_too():
    with pytest.raises(ValueError, match=r"file:///etc/hostname: expected"):
        open_web(urllib.request.Request("file:///etc/hostname"), 1.0)
