"""The dlt pipeline: posts from our upstream, merged by their id, once or twice.

    python dlt_ingest.py UPSTREAM DESTINATION FOLDER [again]

It runs in an environment of its own, and prints as JSON how many seconds each run took. DESTINATION
is the URL of a database; with `again` nothing has changed the second time.
"""

import json
import sys
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

import dlt
from dlt.sources.rest_api import rest_api_source


def main() -> None:
    """Run the pipeline and print how long it took."""
    upstream, destination, folder, *more = sys.argv[1:]
    pipeline = dlt.pipeline(
        "posts", destination=_at(destination), dataset_name="dlt", pipelines_dir=folder
    )
    took = [_run(pipeline, upstream)]
    if more:
        urlopen(f"{upstream}/set?spaces=1").close()  # noqa: S310 - our own
        took.append(_run(pipeline, upstream))
    print(json.dumps(took))


def _at(url: str) -> object:
    if url.startswith("sqlite"):
        return dlt.destinations.sqlalchemy(url)
    parts = urlsplit(url)
    if parts.password is None:  # dlt requires one, even if the server does not
        url = parts._replace(netloc=parts.netloc.replace("@", ":none@")).geturl()
    return dlt.destinations.postgres(url)


def _run(pipeline: dlt.Pipeline, upstream: str) -> float:
    began = time.perf_counter()
    endpoint = {
        "path": "posts",
        "params": {"_page": 1, "_limit": 1000},
        "paginator": "header_link",
        "data_selector": "$",
    }
    resource = {
        "name": "posts",
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": endpoint,
    }
    pipeline.run(rest_api_source({"client": {"base_url": upstream}, "resources": [resource]}))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
