"""Extract, transform, validate, load: products from an HTTP API into a CSV and a JSON-lines file.

The API is a small server that the flow starts for itself on a free port of this machine. Its products are real: the
media types that Python knows, priced by the letter. The mess in them (stray blanks, shouted names,
prices as text, some missing) and the 503 answers are made on purpose, and the same in every run.

Watch: pages are fetched side by side. Some are answered 503 once or twice and are tried again, after a wait that
doubles, while the others are through. `output/products.csv` and `output/products.jsonl` are written at the end.
"""

import csv
import json
import mimetypes
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, TypedDict
from urllib.parse import urlsplit

from flowdeck import flow, get_run_logger, task


class Product(TypedDict):
    """A product after it was cleaned."""

    sku: str
    name: str
    price: float


@task(retries=3, retry_delay_seconds=[1, 2, 4])
def extract(url: str) -> dict[str, Any]:
    """Fetch one page of the API.

    Returns:
        `page`, `pages` (how many there are) and `products`, as the API gives them.

    Raises:
        ConnectionError: the answer was not 200.
    """
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise ConnectionError(f"{response.status} {response.reason}: {url}")
    page: dict[str, Any] = json.loads(body)
    get_run_logger().info("Page %d of %d: %d products.", page["page"], page["pages"], len(page["products"]))
    return page


@task
def transform(pages: list[dict[str, Any]]) -> list[Product]:
    """Clean the products of all pages: trim and capitalise names, turn prices into numbers, drop what has none."""
    raw = [product for page in pages for product in page["products"]]
    clean = [
        Product(sku=product["sku"], name=product["name"].strip().capitalize(), price=price)
        for product in raw
        if (price := to_price(product["price"])) is not None
    ]
    get_run_logger().info("%d of %d products have a price.", len(clean), len(raw))
    return clean


@task
def validate(products: list[Product]) -> list[Product]:
    """Let products through if they are as everything after this expects.

    Raises:
        AssertionError: they are not; the text says what is wrong.
    """
    assert products, "there are no products"
    unnamed = [product["sku"] for product in products if not product["name"]]
    assert not unnamed, f"no name: {unnamed}"
    mispriced = [product["sku"] for product in products if not 0 < product["price"] < 1000]
    assert not mispriced, f"price out of range: {mispriced}"
    repeated = [sku for sku, count in Counter(product["sku"] for product in products).items() if count > 1]
    assert not repeated, f"more than one product: {repeated}"
    return products


@task(log_prints=True)
def load_csv(products: list[Product], path: Path) -> Path:
    """Write products as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(Product.__annotations__))
        writer.writeheader()
        writer.writerows(products)
    print(f"wrote {path}")
    return path


@task(log_prints=True)
def load_json_lines(products: list[Product], path: Path) -> Path:
    """Write products as JSON, one to a line."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(product) + "\n" for product in products)
    print(f"wrote {path}")
    return path


@flow
def etl(products: int = 140, page_size: int = 20, output: str = "output") -> int:
    """Take products from a small API to two files.

    Args:
        products: how many the API has to offer, at most.
        page_size: how many it puts on a page.
        output: the folder to write to, relative to the working directory.

    Returns:
        How many products were loaded.
    """
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with product_api(real_products(products), page_size) as url:
        first = extract(f"{url}?page=1")
        rest = extract.map([f"{url}?page={number}" for number in range(2, first["pages"] + 1)])
        clean = transform([first, *rest])
    valid = validate(clean)
    files = [load_csv.submit(valid, folder / "products.csv"), load_json_lines.submit(valid, folder / "products.jsonl")]
    get_run_logger().info("Loaded %d products into %s.", len(valid), " and ".join(str(file.result()) for file in files))
    return len(valid)


def to_price(text: str) -> float | None:
    """Read a price such as "$1,234.50"; None if there is none in the text."""
    try:
        return float(text.strip().lstrip("$").replace(",", ""))
    except ValueError:
        return None


# --- the API ----------------------------------------------------------------------------------------------------------


def real_products(count: int) -> list[dict[str, str]]:
    """Make products of the media types that Python knows, untidy as the products of real APIs."""
    types = sorted(mimetypes.MimeTypes().types_map[True].items())[:count]
    products: list[dict[str, str]] = []
    for index, (suffix, media_type) in enumerate(types):
        name = media_type.upper() if index % 5 == 0 else f"  {media_type} " if index % 7 == 0 else media_type
        price = "n/a" if index % 11 == 3 else f"${len(media_type) * 1.25:,.2f}"
        products.append({"sku": suffix.removeprefix("."), "name": name, "price": price})
    return products


@contextmanager
def product_api(products: Sequence[dict[str, str]], page_size: int) -> Iterator[str]:
    """Serve products by the page while the block runs, and give its address.

    The first requests for a page may be answered 503: none for page 1, 4, 7 and so on, one for page 2, 5, 8, two for
    page 3, 6, 9.
    """
    requests: Counter[int] = Counter()
    lock = Lock()

    class Api(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = int(self.path.rpartition("=")[2])
            with lock:
                requests[page] += 1
                busy = requests[page] <= (page - 1) % 3
            if busy:
                self.send_error(503)
                return
            start = (page - 1) * page_size
            pages = -(-len(products) // page_size)
            answer = {"page": page, "pages": pages, "products": products[start : start + page_size]}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the standard error for what matters: each answer shows up in the log of its task."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    Thread(target=server.serve_forever, name="product-api", daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/products"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    etl()
