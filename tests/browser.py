"""A real browser, without a window."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.support.wait import WebDriverWait

from .conftest import skip

Answer = TypeVar("Answer")

_OPTIONS = [
    "--headless=new",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever a page would ask for is seen, but gets nowhere
]


class Browser:
    """Chromium with one page in it, as wide as wanted."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, path: Path, width: int = 1000, height: int = 900, dark: bool = False, still: bool = True) -> None:
        """Open a file; `still` is the wish for no motion."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )
        self.emulate(dark=dark, still=still)
        self.driver.get("about:blank")
        self.messages(), self.requests()  # those of the page before
        self.driver.get(path.as_uri())
        self.wait(lambda: self.ask("return location.href + document.readyState") == f"{path.as_uri()}complete")

    def emulate(self, dark: bool = False, paper: bool = False, still: bool = True) -> None:
        """Let the system wish for dark colours, for no motion, or print."""
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"media": "print" if paper else "", "features": features}
        )

    def ask(self, script: str, *arguments: Any) -> Any:
        """Return what a script says of the page."""
        return self.driver.execute_script(script, *arguments)

    def wait(self, condition: Callable[[], Answer]) -> Answer:
        """Return what a condition returns once that is something."""
        return WebDriverWait(self.driver, 10, poll_frequency=0.02).until(lambda _: condition())

    def next_frame(self) -> None:
        """Wait until what has been done is on the screen."""
        self.driver.execute_async_script(
            "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => done()))"
        )

    def messages(self) -> list[str]:
        """Return what has been written to the console since."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Return the addresses that have been asked for since."""
        entries = self.driver.get_log("performance")
        events = [json.loads(entry["message"])["message"] for entry in entries]
        return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        actions = ActionChains(self.driver, duration=0)
        for key in keys:
            actions.send_keys(key)
        actions.perform()
        self.next_frame()

    def point(self, x: float, y: float) -> None:
        """Move the mouse to a place of the window."""
        actions = ActionChains(self.driver, duration=0)
        actions.w3c_actions.pointer_action.move_to_location(round(x), round(y))
        actions.perform()
        self.next_frame()

    def click(self, x: float, y: float) -> None:
        """Click there."""
        actions = ActionChains(self.driver, duration=0)
        actions.w3c_actions.pointer_action.move_to_location(round(x), round(y)).click()
        actions.perform()
        self.next_frame()

    def drag(self, x: float, y: float, right: float, down: float) -> None:
        """Drag from there."""
        actions = ActionChains(self.driver, duration=0)
        pointer = actions.w3c_actions.pointer_action
        pointer.move_to_location(round(x), round(y)).pointer_down()
        pointer.move_to_location(round(x + right / 2), round(y + down / 2))
        pointer.move_to_location(round(x + right), round(y + down)).pointer_up()
        actions.perform()
        self.next_frame()

    def turn_wheel(self, x: float, y: float, down: int, key: str = "") -> None:
        """Turn the mouse's wheel there, while a key is held down."""
        origin = ScrollOrigin.from_viewport(round(x), round(y))
        actions = ActionChains(self.driver, duration=0)
        if key:
            actions.key_down(key)
        actions.scroll_from_origin(origin, 0, down)
        if key:
            actions.key_up(key)
        actions.perform()
        self.next_frame()

    def touch(self, x: float, y: float) -> None:
        """Tap there with a finger."""
        actions = ActionBuilder(self.driver, mouse=PointerInput("touch", "finger"), duration=0)
        actions.pointer_action.move_to_location(round(x), round(y)).pointer_down().pointer_up()
        actions.perform()
        self.next_frame()

    def pinch(self, x: float, y: float, before: int, after: int) -> None:
        """Move two fingers there from one distance of each other to another."""
        actions = ActionBuilder(self.driver, mouse=PointerInput("touch", "left"), duration=10)
        actions.add_pointer_input("touch", "right")
        for finger, side in zip(actions.devices[-1:] + actions.devices[:1], (1, -1), strict=True):
            assert isinstance(finger, PointerInput)
            finger.create_pointer_move(x=round(x + side * before / 2), y=round(y), origin="viewport")
            finger.create_pointer_down(button=0)
            for share in (0.25, 0.5, 0.75, 1):
                apart = before + share * (after - before)
                finger.create_pointer_move(x=round(x + side * apart / 2), y=round(y), origin="viewport", duration=10)
            finger.create_pointer_up(button=0)
        actions.perform()
        self.next_frame()


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser; skip the test where there is none."""
    program, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not program or not driver:
        skip("there is no Chromium with its driver")
    options = ChromeOptions()
    options.binary_location = program
    for option in _OPTIONS:
        options.add_argument(option)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with Chrome(options=options, service=Service(driver)) as chrome:
        yield Browser(chrome)
