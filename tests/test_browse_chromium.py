"""The page in a real Chromium: moved, clicked and typed at as a user would."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from seaice.browse.export import export
from seaice.browse.index import shelf
from seaice.browse.server import server
from seaice.product.geotiff import to_percent
from tests.test_browse import DATES, written

pytestmark = pytest.mark.desktop
CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1280,900",
)  # fmt: skip
PATIENCE = 40  #: s


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    return out, [written(out, date) for date in DATES]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip("no Chromium: install Debian's chromium and chromium-driver to see the page")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture(scope="module", params=["served", "static"])
def page(request, made, browser, tmp_path_factory):
    """The page, opened: from the server, and from a copy on another web server."""
    if request.param == "served":
        serving = server(shelf([made[0]]), 0)
    else:
        from functools import partial
        from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

        site = tmp_path_factory.mktemp("site") / "site"
        export(shelf([made[0]]), site, lambda *_: None)
        serving = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(site))
        )
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    browser.get(f"http://127.0.0.1:{serving.server_port}/")
    wait(lambda: element(browser, "date").text == DATES[-1])
    yield browser
    serving.shutdown()
    serving.server_close()


def element(browser, name):
    return browser.find_element("id", name)


def wait(seen):
    until = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < until, "the page did not come to it"
        time.sleep(0.1)


def choose(browser, name, text):
    from selenium.webdriver.support.ui import Select

    Select(element(browser, name)).select_by_visible_text(text)


def readout(browser):
    """Names and values of the cell, taken in one moment."""
    return dict(
        browser.execute_script(
            "const of = (tag) => [...document.querySelectorAll(`#cell ${tag}`)];"
            "return of('dt').map((name, at) => [name.textContent, of('dd')[at].textContent]);"
        )
    )


def press(browser, name, *keys):
    element(browser, name).send_keys(*keys)


def test_a_click_tells_the_value_of_the_cell_in_the_middle(page, made):
    from selenium.webdriver import ActionChains

    ActionChains(page).move_to_element(element(page, "map")).click().perform()
    wait(lambda: readout(page).get("concentration"))
    sic = to_percent(made[1][-1])
    rows, columns = sic.shape
    middle = sic[rows // 2 - 2 : rows // 2 + 2, columns // 2 - 2 : columns // 2 + 2]
    told = float(readout(page)["concentration"].split()[0])
    assert middle.min() - 1 <= told <= middle.max() + 1
    assert "no flag" in element(page, "cell").text or "land lies" in element(page, "cell").text
    wait(lambda: page.find_elements("css selector", "#cell svg"))
    title = page.find_element("css selector", "#cell svg title").get_attribute("textContent")
    assert all(date in title for date in DATES)


def test_the_slider_moves_through_the_days(page):
    from selenium.webdriver.common.keys import Keys

    press(page, "day", Keys.HOME)
    wait(lambda: element(page, "date").text == DATES[0])
    press(page, "day", Keys.RIGHT)
    wait(lambda: element(page, "date").text == DATES[1])
    element(page, "after").click()
    wait(lambda: element(page, "date").text == DATES[2])


def test_layers_change_the_legend(page):
    choose(page, "layer", "flags")
    wait(lambda: "coast" in element(page, "legend").text)
    choose(page, "layer", "89 GHz H")
    wait(lambda: "160 K" in element(page, "legend").text)
    choose(page, "layer", "concentration")
    wait(lambda: "85 %" in element(page, "legend").text)


def test_two_days_are_compared_side_by_side(page):
    choose(page, "other", f"{DATES[0]}, bicubic + asi")
    wait(lambda: element(page, "comparing").is_displayed())
    assert element(page, "swipe-line").is_displayed()
    choose(page, "other", "nothing")
    wait(lambda: not element(page, "comparing").is_displayed())


def test_all_is_done_with_keys_alone(page):
    from selenium.webdriver.common.keys import Keys

    press(page, "map", ",")
    wait(lambda: element(page, "date").text == DATES[1])
    press(page, "map", "4")
    wait(lambda: "coast" in element(page, "legend").text)
    press(page, "map", "1", "e")
    assert not element(page, "edge").is_selected()
    press(page, "map", "e", Keys.ENTER)
    wait(lambda: readout(page).get("89 GHz H, V"))
    press(page, "map", ".")
    wait(lambda: element(page, "date").text == DATES[2])


def test_what_is_drawn_has_the_colours_of_the_services(page, made):
    """The share of each colour on the screen is that of land, water and ice in the product."""
    from io import BytesIO

    from PIL import Image

    for box in ("edge", "net"):
        if element(page, box).is_selected():
            element(page, box).click()
    choose(page, "layer", "concentration")
    wait(lambda: element(page, "wait").text == "")
    time.sleep(1)
    shot = Image.open(BytesIO(element(page, "map").screenshot_as_png)).convert("RGB")
    pixels = np.asarray(shot).reshape(-1, 3)
    sic = to_percent(made[1][-1])
    shown = {
        value: (np.abs(pixels - colour).max(axis=1) <= 1).sum()
        for value, colour in {254: (150, 148, 143), 100: (255, 255, 255), 0: (8, 41, 88)}.items()
    }
    land = (sic == 254).sum()
    for value in (0, 100):
        expected = (sic == value).sum() / land
        assert shown[value] / shown[254] == pytest.approx(expected, rel=0.1)


def test_nothing_went_wrong_in_the_page(page):
    """A static copy has no server to ask for a cell: that one answer is missing, and told so."""
    wrong = [line for line in page.get_log("browser") if line["level"] == "SEVERE"]
    assert [line for line in wrong if "/cell/" not in line["message"]] == []
