"""A real Chromium, what its pages say, and which of their requests failed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

TIMEOUT_SECONDS = 60.0
POLL_SECONDS = 0.5
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1600,1400",
)
FAILED = 0
"""Stands for the status of a request that got no answer."""


class Requests:
    """What the pages asked for with XHR and fetch, read from Chromium's performance log."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver
        self._paths: dict[str, str] = {}
        self._statuses: dict[str, int] = {}
        self._pending: set[str] = set()

    def are_over(self) -> bool:
        """Read the log; return whether it says nothing new, and all requests were answered."""
        entries = self._driver.get_log("performance")  # type: ignore[no-untyped-call]
        events = [json.loads(entry["message"])["message"] for entry in entries]
        for event in events:
            self._take(event["method"], event["params"])
        return not self._pending and not any(event["method"].startswith("Network.") for event in events)

    def _take(self, method: str, about: dict[str, Any]) -> None:
        request = about.get("requestId", "")
        if method == "Network.requestWillBeSent" and about.get("type") in ("XHR", "Fetch"):
            self._paths[request] = urlsplit(about["request"]["url"]).path
            self._pending.add(request)
        elif request in self._paths and method == "Network.responseReceived":
            self._statuses[request] = about["response"]["status"]
        elif request in self._paths and method == "Network.loadingFinished":
            self._pending.discard(request)
        elif request in self._paths and method == "Network.loadingFailed":
            self._pending.discard(request)
            if not about.get("canceled"):
                self._statuses.setdefault(request, FAILED)

    def answered(self) -> set[tuple[str, int]]:
        """Return the path and status of each."""
        return {(self._paths[request], status) for request, status in self._statuses.items()}


class Browser:
    """One window."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self._driver = driver

    def visit(self, url: str, texts: tuple[str, ...], shot: Path) -> Requests:
        """Load ``url`` anew, wait until it shows ``texts`` and asks for nothing more, and save a picture.

        Raises:
            AssertionError: a text did not appear, or requests stay open; it holds what the page says.
        """
        self._driver.get("about:blank")
        Requests(self._driver).are_over()
        requests = Requests(self._driver)
        self._driver.get(url)
        wait: WebDriverWait[webdriver.Chrome] = WebDriverWait(self._driver, TIMEOUT_SECONDS, POLL_SECONDS)
        try:
            wait.until(lambda _: all(text in self.text() for text in texts) and requests.are_over())
        except TimeoutException:
            missing = [text for text in texts if text not in self.text()]
            raise AssertionError(f"{url}: {missing or 'requests'} missing; it says:\n{self.text()}") from None
        finally:
            self._driver.save_screenshot(str(shot))
        return requests

    def open(self, url: str) -> Requests:
        """Go to ``url``, without loading the document anew if it is there already; wait until nothing more is asked for.

        Raises:
            AssertionError: requests stay open; it holds what the page says.
        """
        requests = Requests(self._driver)
        self._driver.get(url)
        wait: WebDriverWait[webdriver.Chrome] = WebDriverWait(self._driver, TIMEOUT_SECONDS, POLL_SECONDS)
        try:
            wait.until(lambda _: requests.are_over())
        except TimeoutException:
            raise AssertionError(f"{url}: requests stay open; it says:\n{self.text()}") from None
        return requests

    def text(self) -> str:
        """Return what is visible."""
        return self._driver.find_element(By.TAG_NAME, "body").text


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Start Chromium with ``profile``, an empty directory; skips the test where there is none."""
    programs = {"chromium": shutil.which("chromium"), "chromium-driver": shutil.which("chromedriver")}
    missing = [package for package, path in programs.items() if path is None]
    if missing:
        pytest.skip(f"needs a browser: install Debian's {' and '.join(missing)}")
    options = Options()
    options.binary_location = str(programs["chromium"])
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(programs["chromium-driver"])))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
