"""The site in a browser, from disk: nothing is asked of a network, nothing fails, and what can be used works."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from debian import provide

PAGES = ("index", "factors")
VIEWS = [("desktop, light", 1280, False), ("desktop, dark", 1280, True), ("phone, light", 390, False)]
VIEWS += [("phone, dark", 390, True)]
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """A headless Chromium that keeps a log of its console and of its requests."""
    provide(("chromium", "chromedriver"), ("chromium", "chromium-driver"))
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="no selenium here (pip install selenium)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def opened(browser, page: Path, width: int = 1280, dark: bool = False):
    """The browser with a page at a width, in a colour scheme; its logs are empty of what was before."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get("about:blank")
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(page.as_uri())
    from selenium.webdriver.support.ui import WebDriverWait  # not above: there may be no selenium

    # A busy machine answers before the page's script, its last element, has run.
    WebDriverWait(browser, 60).until(lambda seen: seen.execute_script("return document.readyState") == "complete")
    return browser


def requests(browser) -> set[str]:
    """Addresses that the browser asked for since it opened the page."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]
    return {address for address in sent if not address.startswith("data:")}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("width", "dark"), [view[1:] for view in VIEWS], ids=[view[0] for view in VIEWS])
def test_a_page_opens_clean(made_up_site, browser, page, width, dark):
    file = made_up_site / f"{page}.html"
    opened(browser, file, width, dark)
    browser.execute_script("for (const image of document.images) image.loading = 'eager'")
    loaded = "return Promise.all([...document.images].map(i => i.decode().then(() => true, () => false)))"
    assert all(browser.execute_script(loaded))
    assert requests(browser) == {file.as_uri()}
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"), (
        "the page scrolls sideways"
    )
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") is not dark


def test_every_number_opens_its_drawer(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    counts = browser.execute_script("""
        const links = [...document.querySelectorAll("main a.made")], dialog = document.querySelector("dialog");
        let opened = 0;
        for (const link of links) {
          link.click();
          opened += dialog.open && dialog.lastElementChild.textContent.includes("command");
          dialog.close();
        }
        for (const details of document.querySelectorAll("main details")) { details.open = true; }
        const empty = [...document.querySelectorAll("main details")].filter(d => d.getBoundingClientRect().height < 25);
        return [links.length, opened, empty.length];
    """)
    assert counts[0] == counts[1] > 30
    assert counts[2] == 0


def test_a_number_of_another_page_opens_its_drawer_on_the_first(made_up_site, browser):
    opened(browser, made_up_site / "factors.html")
    address = browser.execute_script("return document.querySelector('main a.made').href")
    assert address.startswith((made_up_site / "index.html").as_uri())
    browser.get(address)
    # The driver may call an address with a fragment reached before the page is there.
    wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait(browser, 30)
    assert wait.until(lambda browser: browser.execute_script("return document.querySelector('dialog')?.open"))


def test_tables_sort_and_copy(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    origin = {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    browser.execute_cdp_cmd("Browser.grantPermissions", origin)
    browser.execute_cdp_cmd("Emulation.setFocusEmulationEnabled", {"enabled": True})
    column = """
        const table = document.querySelector("table.results");
        table.tHead.rows[0].cells[1].querySelector("button").click();
        const rows = [...table.tBodies[0].rows];
        const shown = column => rows.map(row => row.cells[column].innerText);
        return [table.tHead.rows[0].cells[1].getAttribute("aria-sort"), shown(1).map(parseFloat), shown(0)];
    """
    rising, values, names = browser.execute_script(column)
    falling, reversed_values, _ = browser.execute_script(column)
    assert (rising, falling) == ("ascending", "descending")
    assert values[2:] == sorted(values[2:]) and reversed_values[2:] == values[:1:-1]
    assert names[0].startswith("real pictures") and names[1].startswith("codec")
    for form, marks in {
        "CSV": ("fd_probe; lower is nearer to real", "real pictures"),
        "LaTeX": ("\\toprule", "fd\\_probe"),
    }.items():
        copied = browser.execute_async_script(
            """
            const [form, done] = arguments;
            const tools = document.querySelector("table.results").parentElement.previousElementSibling;
            [...tools.children].find(button => button.textContent.includes(form)).click();
            setTimeout(() => navigator.clipboard.readText().then(done, error => done(String(error))), 300);
            """,
            form,
        )
        assert all(mark in copied for mark in marks), copied
        assert copied.count("\n") >= len(names)


def test_figures_come_as_vectors_and_bitmaps(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    files = browser.execute_async_script("""
        const links = [...document.querySelectorAll("figure a[download]")], done = arguments[0];
        const content = async link => [link.download, link.download.endsWith("png") ? await bitmap(link) : link.href];
        Promise.all(links.map(content)).then(done);
    """)
    assert len(files) == 2 * len(browser.find_elements("css selector", "figure.chart")) > 0
    for name, address in files:
        content = base64.b64decode(address.partition(",")[2])
        if name.endswith(".svg"):
            assert ElementTree.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"
        else:
            assert content.startswith(b"\x89PNG")
    undrawn = (
        "return [...document.querySelectorAll('figure.chart')].filter(f => !f.querySelector('.figure-drawer a')).length"
    )
    assert browser.execute_script(undrawn) == 0


def test_a_screen_reader_finds_its_way(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    told = browser.execute_script("""
        const unnamed = [...document.querySelectorAll("main table")].filter(t => !t.caption).length;
        const silent = [...document.images].filter(i => !i.alt).length;
        const charts = [...document.querySelectorAll("svg")].filter(s => !s.getAttribute("aria-label")).length;
        return [document.documentElement.lang, document.querySelectorAll("h1").length, unnamed, silent, charts];
    """)
    assert told == ["en", 1, 0, 0, 0]


def test_it_prints(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    printed = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert printed.startswith(b"%PDF") and len(printed) > 20_000


def test_the_answer_comes_first_then_chart_pictures_and_tables(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    tops = browser.execute_script("""
        const marks = ["h1", ".answers", "figure.chart", "table.pictures", "table.results", "table.matrix"];
        return marks.map(mark => document.querySelector("main " + mark).getBoundingClientRect().top);
    """)
    assert tops == sorted(tops)
    assert tops[1] < 900  # on the first screen
    assert (made_up_site / "index.html").stat().st_size < 1_500_000
    ends = browser.execute_script("return [...document.querySelectorAll('.answers strong')].map(e => e.innerText)")
    assert ends[0] == "nearest pictures" and "smallest file" in ends


def test_pairs_are_a_square_of_signs_and_the_table_waits_in_a_drawer(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    square = browser.execute_script("""
        const table = document.querySelector("table.matrix");
        const names = [...table.tBodies[0].rows].map(row => row.cells[0].innerText);
        const heads = [...table.tHead.rows[0].cells].slice(1).map(cell => cell.innerText);
        const unsaid = [...table.querySelectorAll("td:not(.self)")].filter(cell => !cell.title).length;
        const others = [...table.querySelectorAll("td:not(.self)")];
        const shades = new Set(others.map(cell => getComputedStyle(cell).backgroundColor));
        const drawer = table.closest(".scroll").nextElementSibling.nextElementSibling;
        const closed = drawer.getBoundingClientRect().height;
        drawer.querySelector("summary").click();
        return [names, heads, unsaid, [...shades], closed, drawer.getBoundingClientRect().height,
                drawer.querySelectorAll("table.pairs tbody tr").length];
    """)
    names, heads, unsaid, shades, closed, opened_, rows = square
    assert names == heads and len(names) == 4
    assert unsaid == 0
    assert "rgba(0, 0, 0, 0)" not in shades  # each has a colour of its own
    assert closed < 60 < opened_ and rows == 6


def test_sections_without_content_are_left_out_of_page_and_bar(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    links, heads = browser.execute_script("""
        const text = element => element.innerText.replace("¶", "").trim();
        const all = mark => [...document.querySelectorAll(mark)].map(text);
        return [all("nav .sections a"), all("main h2")];
    """)
    assert links == heads


def test_a_section_of_one_data_set_and_of_no_rates_is_left_out(made_up_site, browser):
    opened(browser, made_up_site / "index.html")
    links = browser.execute_script('return [...document.querySelectorAll("nav .sections a")].map(a => a.innerText)')
    assert "Guidance" in links and "From data set to data set" not in links and "Learning rates" not in links


def test_tables_of_text_stack_on_a_phone(made_up_site, browser):
    seen = """
        document.querySelectorAll("details.more").forEach(drawer => drawer.open = true);
        const row = document.querySelector("table.pairs tbody tr");
        const boxes = [...row.cells].map(cell => cell.getBoundingClientRect());
        const label = getComputedStyle(row.cells[1], "::before").content;
        return [boxes.map(box => box.left), boxes.map(box => box.top), label,
                row.closest(".scroll").scrollWidth - row.closest(".scroll").clientWidth];
    """
    opened(browser, made_up_site / "index.html", 390)
    lefts, tops, label, beyond = browser.execute_script(seen)
    assert len(set(lefts)) == 1 and tops == sorted(set(tops))
    assert label == '"difference in fd_probe"' and beyond <= 0
    opened(browser, made_up_site / "index.html", 1280)
    lefts, tops, label, _ = browser.execute_script(seen)
    assert len(set(tops)) == 1 and lefts == sorted(set(lefts)) and label == "none"
