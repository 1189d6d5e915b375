"""The grammar of declarations: the tables of a TOML file that declares datasets, as types.

The reference of the grammar and its JSON Schema are generated from these types.
"""

from typing import Annotated, ClassVar, Literal

import msgspec

Scalar = str | int | float | bool


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class FieldBlock(
    msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename=lambda name: name.strip("_")
):
    """One field of a record; a text instead of the table is its type."""

    type: Annotated[
        str,
        _about(
            "`integer`, `number`, `boolean`, `string`, `datetime` or `list` (of texts); with `?`"
            " the value may be null or missing."
        ),
    ]
    from_: Annotated[
        str | None,
        _about(
            "The location of the value: a JSON Pointer relative to the record, `$/x` in the body"
            " around it, `#` for the name or position of the record, `@source` for the name of the"
            " source. The default is `/` and the name of the field."
        ),
    ] = None
    as_: Annotated[
        str | None,
        _about(
            "The form of the value: a datetime as `seconds`, `milliseconds`, `date`, `http` or a"
            " pattern such as `%d.%m.%Y`; an integer or number as `text`; a boolean as `number`; a"
            " string as `json`, which keeps a nested value as its text."
        ),
    ] = None
    zone: Annotated[
        str | None, _about("The time zone of a datetime whose text has none: `Europe/Berlin`.")
    ] = None
    null: Annotated[list[str], _about("Texts that mean null.")] = []
    const: Annotated[Scalar | None, _about("The same value for every record.")] = None
    choices: Annotated[list[str], _about("The texts that a string may have.")] = []


class PagesBlock(
    msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename=lambda name: name.strip("_")
):
    """The way from one page to the next, and the upstream's statements about the end."""

    link: Annotated[bool, _about('Whether `Link: rel="next"` leads to the next page.')] = False
    next: Annotated[
        str | None,
        _about("The pointer to the URL of the next page, or to a list of links with `rel`."),
    ] = None
    next_header: Annotated[str | None, _about("The header with the URL of the next page.")] = None
    token: Annotated[
        str | None, _about("The pointer to the token of the next page; sent as `send`.")
    ] = None
    token_header: Annotated[
        str | None, _about("The header with the token of the next page; sent as `send`.")
    ] = None
    number: Annotated[str | None, _about("The parameter that numbers pages.")] = None
    from_: Annotated[int | None, _about("The number of the first page, 1 if not given.")] = None
    offset: Annotated[str | None, _about("The parameter with the number of records to skip.")] = (
        None
    )
    after: Annotated[
        str | None, _about("The pointer to the last record's value that is sent as `send`.")
    ] = None
    send: Annotated[str | None, _about("The parameter of a token, or of the value of `after`.")] = (
        None
    )
    more: Annotated[str | None, _about("The pointer to whether there is more.")] = None
    total: Annotated[str | None, _about("The pointer to the number of all records.")] = None
    total_header: Annotated[str | None, _about("The header with the number of all records.")] = None
    last: Annotated[str | None, _about("The pointer to the number of the last page.")] = None
    last_header: Annotated[str | None, _about("The header with the number of the last page.")] = (
        None
    )


class SecretBlock(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A reference to a secret; the secret itself is never in the file."""

    ADVICE: ClassVar[str] = (
        'a secret is never text: write { env = "NAME" } or { file = "/run/secrets/NAME" }'
    )

    env: Annotated[str | None, _about("The environment variable with the secret.")] = None
    file: Annotated[str | None, _about("The file with the secret, read at each use.")] = None


class AuthBlock(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The authentication of requests: one of `header`, `bearer`, `basic`, `query` and `oauth2`."""

    header: Annotated[str | None, _about("The header of `value`, after `prefix`.")] = None
    prefix: Annotated[str, _about("The text before the value, such as `Token `.")] = ""
    query: Annotated[str | None, _about("The parameter of `value`.")] = None
    value: Annotated[SecretBlock | None, _about("The secret of `header` or `query`.")] = None
    bearer: Annotated[SecretBlock | None, _about("A token, sent as `Authorization: Bearer …`.")] = (
        None
    )
    basic: Annotated[str | None, _about("The username that is sent with `password`.")] = None
    password: Annotated[SecretBlock | None, _about("Empty if it is missing.")] = None
    oauth2: Annotated[str | None, _about("The token endpoint for client credentials.")] = None
    client_id: Annotated[str | None, _about("The identifier of the client.")] = None
    client_secret: Annotated[SecretBlock | None, _about("The secret of `client_id`.")] = None
    scope: Annotated[str, _about("The scope of the token.")] = ""


class SourceBlock(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The request to one source, and the format of its responses."""

    url: Annotated[str, _about("The address of the list, `https://…`.")]
    params: Annotated[
        dict[str, Scalar | SecretBlock],
        _about("Parameters that are added to the URL: values, or references to secrets."),
    ] = {}
    headers: Annotated[
        dict[str, str | SecretBlock],
        _about("Headers that are sent to the host of the URL: texts, or references to secrets."),
    ] = {}
    auth: Annotated[
        AuthBlock | None, _about("The authentication; it overrides the `auth` of the host.")
    ] = None
    format: Annotated[
        Literal["json", "ndjson", "csv"] | None,
        _about("The format of the body; JSON if not given."),
    ] = None
    records: Annotated[
        str,
        _about(
            "The JSON Pointer to the list of records, the body itself if not given; a step `*` is"
            " every element or member."
        ),
    ] = ""
    columns: Annotated[
        str | None, _about("The JSON Pointer to the names of columns, where records are rows.")
    ] = None
    pages: Annotated[
        Literal["none", "link", "first"] | PagesBlock | None,
        _about('The way through the pages; `"first"` requests only the first one.'),
    ] = None
    max_pages: Annotated[int | None, _about("More pages fail the fetch: 10 000.")] = None
    max_records: Annotated[int | None, _about("More records fail the fetch: 1 000 000.")] = None


class DatasetBlock(SourceBlock, kw_only=True, forbid_unknown_fields=True):
    """One dataset: its source, its fields, its key, and how it is served."""

    key: Annotated[str | list[str], _about("The field, or fields, that identify a record.")]
    fields: Annotated[
        dict[str, str | FieldBlock],
        _about("The fields of a record by name: a type, or a table."),
    ]
    about: Annotated[str, _about("The description, shown in the documentation.")] = ""
    sort: Annotated[str, _about("The default order, such as `-updated_at`.")] = ""
    indexes: Annotated[
        list[str | list[str]], _about("The filters and sorts to be fast, as fields of an index.")
    ] = []
    every: Annotated[str | None, _about("The period of the schedule, such as `10m`, or `off`.")] = (
        None
    )
    at_most_every: Annotated[
        str | None, _about("The minimum interval between fetches, such as `60s`.")
    ] = None
    stale_after: Annotated[str | None, _about("The age at which data is stale.")] = None
    deadline: Annotated[str | None, _about("The most time for one fetch, up to `1h`.")] = None
    read_by: Annotated[
        Literal["anyone", "user", "admin"] | None,
        _about("Who may read it: `user` where its source has `auth`, else `anyone`."),
    ] = None
    fetch_by: Annotated[
        Literal["anyone", "user", "admin"] | None,
        _about("Who may fetch it: `user` where its source has `auth`, else `anyone`."),
    ] = None
    visible: Annotated[
        dict[str, str],
        _about('The records that a role sees, as a filter of `/data`: `{ user = "valid=true" }`.'),
    ] = {}


class HostBlock(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The rules for one host, such as `example.com` or `127.0.0.1:8900`."""

    rate: Annotated[
        str | None, _about("The number of requests in a window of time, such as `20/1s`.")
    ] = None
    private: Annotated[bool, _about("Whether the host may have a private address.")] = False
    auth: Annotated[AuthBlock | None, _about("The authentication of requests to it.")] = None


class DeclarationsFile(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file of declarations."""

    hosts: Annotated[dict[str, HostBlock], _about("Hosts by name.")] = {}
    datasets: Annotated[dict[str, DatasetBlock], _about("Datasets by name.")] = {}
