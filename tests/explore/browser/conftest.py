"""The explorer in a real browser: Debian's chromium over a real server and a small real store.

Conventions
-----------
- The store is made once for all workers of a test run. Nothing may change it except verdicts.
- A page that logs an error, asks another host or fails a request fails its test.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from audioae.store.dataset import Store
from tests.explore.browser.driver import ARGUMENTS, CHROMIUM, Explorer, served
from tests.explore.browser.hostile import hostile_tags
from tests.explore.made_map import add_map

N_TRACKS = 36


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not CHROMIUM.exists():
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(f"{CHROMIUM} is not there: apt-get install chromium"))


@pytest.fixture(scope="session")
def made(shared) -> Path:
    """A folder with the catalog and the store; the page is built too."""
    return shared("explorer", _make)


def _make(folder: Path) -> None:
    from audioae.config import load_config
    from audioae.demo.config import SynthConfig
    from audioae.demo.write import synthesize
    from audioae.screening.run import screen_store
    from audioae.serve.explore.build import build
    from audioae.settings import PipelineConfig
    from tests.chain import run_chain

    build()
    synthesize(folder / "catalog", SynthConfig(n_tracks=N_TRACKS, min_s=6.0, max_s=9.0, faults=False))
    hostile_tags(folder / "catalog")
    config = Path(__file__).parents[3] / "configs" / "tiny.yaml"
    settings = ["synth=null", f"catalog.source={folder / 'catalog'}", f"store={folder / 'store'}"]
    settings += ["train.steps=10", "screen.corrupt=null", "index.max_p99_ms=10000"]  # a busy machine is no fault
    loaded = load_config(PipelineConfig, str(config), settings)
    store, index = Store(loaded.store), run_chain(loaded)
    assert loaded.screen is not None
    screen_store(store, loaded.screen, index, loaded.run.local_workers)
    add_map(store)


@pytest.fixture(scope="session")
def store(made: Path) -> Store:
    return Store(str(made / "store"))


@pytest.fixture(scope="session")
def server(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `audioae serve` over the store, without keys; its decoder has started."""
    folder = tmp_path_factory.mktemp("server")
    with served(store.root, folder / "log", AUDIOAE_CACHE=str(folder / "cache")) as url:
        first = store.read(store.require("embeddings"), ["track_id"])["track_id"][0].as_py()
        httpx.get(f"{url}/v1/tracks/{first}/clip", timeout=120).raise_for_status()
        yield url


@pytest.fixture(
    scope="module"
)  # playwright runs an event loop in this thread: other files' tests need it to have ended
def chromium() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium, server: str) -> Iterator[Callable[..., Explorer]]:
    """Open the explorer: `open_page("#color=artist", dark=True, width=390)`; every page is checked at the end."""
    opened: list[Explorer] = []

    def start(address: str = "", *, url: str = server, ready: bool = True, **view) -> Explorer:
        opened.append(Explorer(chromium, url, **view))
        opened[-1].load(address, ready=ready)
        return opened[-1]

    yield start
    for explorer in opened:
        explorer.close()
    for explorer in opened:
        assert explorer.faults == []


@pytest.fixture
def explorer(open_page: Callable[..., Explorer]) -> Explorer:
    """The explorer, just opened."""
    return open_page()
