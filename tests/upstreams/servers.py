"""Every server that `make upstreams` fetches from, and what was put into each, as values."""

from dataclasses import dataclass, field

#: Most starters put so many records into their server.
SEEDED = 250
_TOKEN = "0123456789abcdef0123456789abcdef01234567"
_OAUTH = """\
[datasets.{name}]
url = "{url}/api/oauth/items/"
auth = {{ oauth2 = "{url}/o/token/", client_id = "catchment", client_secret = {{ env = "SECRET" }}, scope = "read" }}
records = "/results"
pages = {{ next = "/next", total = "/count" }}
key = "id"
fields = {{ id = "integer", sku = "string", updated_at = "datetime" }}
"""  # noqa: E501 - a table in one line of TOML


@dataclass(frozen=True)
class Endpoint:
    """One path of a server, and how many records it has."""

    path: str
    records: int = SEEDED
    #: How many more come that are no records, and must be in quarantine.
    rejected: int = 0
    #: As `catchment add --auth` has it; the secret is read from the variable SECRET.
    auth: str = ""
    secret: str = ""
    #: Options that answer what `catchment add` cannot see; the rest is --yes.
    answers: tuple[str, ...] = ()
    #: A block by hand, where `catchment add` has no option for the way to log in.
    block: str = ""


@dataclass(frozen=True)
class Server:
    """A server by the name of its starter, and its paths."""

    name: str
    endpoints: tuple[Endpoint, ...] = field(default=())


SERVERS = (
    Server(
        "datasette",
        (
            Endpoint("/shop/items.json?_shape=objects&_size=50"),
            Endpoint("/shop/items.json?_size=50", answers=("--records", "/rows")),
            Endpoint("/shop/items.json?_shape=array&_nl=on&_size=50"),
            Endpoint("/shop/items.csv?_size=max"),
        ),
    ),
    Server("json-server-017", (Endpoint("/items?_page=1&_limit=50"), Endpoint("/owners", 11))),
    Server("json-server-1", (Endpoint("/items?_page=1&_per_page=50"),)),
    Server(
        "drf",
        (
            Endpoint("/api/items/"),
            Endpoint("/api/limited/"),
            Endpoint("/api/cursor/"),
            Endpoint("/api/plain/"),
            Endpoint("/api/owners/", 11),
            Endpoint("/api/jsonapi/items/"),
            Endpoint(
                "/api/token/items/",
                auth="header:Authorization:env:SECRET",
                secret=f"Token {_TOKEN}",
            ),
            Endpoint("/api/basic/items/", auth="basic:ann:env:SECRET", secret="s3cret"),
            Endpoint("/api/oauth/items/", secret="client-s3cret", block=_OAUTH),
        ),
    ),
    Server(
        "fastapi-pagination",
        (
            Endpoint("/pages"),
            Endpoint("/offsets"),
            Endpoint("/cursors"),
            Endpoint("/key", auth="query:api_key:env:SECRET", secret="query-s3cret"),
        ),
    ),
    Server("jsonapi-server", (Endpoint("/rest/items"),)),
    Server("odata", (Endpoint("/odata/v4/shop/Items"),)),
    Server("pygeoapi", (Endpoint("/collections/stations/items?f=json&limit=50"),)),
    Server(
        "pouchdb-server",
        (
            Endpoint(
                "/shop/_changes?include_docs=true&limit=50",
                SEEDED - 5,
                # Of a document that was deleted, only that is told.
                rejected=5,
                answers=("--pages", '{ token = "/last_seq", send = "since" }'),
            ),
            Endpoint(
                "/shop/_all_docs?include_docs=true&limit=50",
                SEEDED - 5,
                answers=("--pages", '{ offset = "skip", total = "/total_rows" }'),
            ),
        ),
    ),
    Server(
        "localstripe",
        (Endpoint("/v1/customers?limit=50", auth="bearer:env:SECRET", secret="sk_test_12345"),),
    ),
    Server("gcs", (Endpoint("/storage/v1/b/shop/o?maxResults=50"),)),
    Server("docker-registry", (Endpoint("/v2/_catalog?n=50"),)),
    Server(
        "powerdns",
        (
            Endpoint(
                "/api/v1/servers/localhost/zones",
                60,
                auth="header:X-API-Key:env:SECRET",
                secret="pdns-s3cret",
            ),
        ),
    ),
    Server(
        "rabbitmq-management",
        (
            Endpoint(
                "/api/queues?page=1&page_size=50", auth="basic:guest:env:SECRET", secret="guest"
            ),
        ),
    ),
    Server("mlflow", (Endpoint("/api/2.0/mlflow/registered-models/search?max_results=50", 120),)),
    Server("wordpress", (Endpoint("/?rest_route=/wp/v2/posts&per_page=50"),)),
)
