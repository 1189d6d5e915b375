"""fastapi-pagination as its documentation shows it: pages, offsets and cursors over one table.

`python fastapi_pages.py PORT`; `/key` is `/pages` behind an API key in the query.
"""

import sys
from datetime import datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException, Query
from fastapi_pagination import LimitOffsetPage, Page, add_pagination, paginate
from fastapi_pagination.cursor import CursorPage
from fastapi_pagination.ext.sqlalchemy import paginate as paginate_statement
from pydantic import BaseModel, ConfigDict
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

sys.path.insert(0, str(Path(__file__).parent))

from seed import items


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    sku: Mapped[str]
    name: Mapped[str]
    price: Mapped[float]
    active: Mapped[bool]
    note: Mapped[str | None]
    updated_at: Mapped[datetime]


class ItemOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    sku: str
    name: str
    price: float
    active: bool
    note: str | None
    updated_at: datetime


COPIED = ("id", "sku", "name", "price", "active", "note")
engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
Base.metadata.create_all(engine)
with Session(engine) as filling:
    filling.add_all(
        Item(
            **{name: record[name] for name in COPIED},
            updated_at=datetime.fromisoformat(record["updated_at"]),
        )
        for record in items(250)
    )
    filling.commit()

app = FastAPI()


def rows() -> list[Item]:
    with Session(engine) as session:
        return list(session.scalars(select(Item).order_by(Item.id)))


@app.get("/pages")
def pages() -> Page[ItemOut]:
    return paginate(rows())


@app.get("/offsets")
def offsets() -> LimitOffsetPage[ItemOut]:
    return paginate(rows())


@app.get("/cursors")
def cursors() -> CursorPage[ItemOut]:
    with Session(engine) as session:
        return paginate_statement(session, select(Item).order_by(Item.id))


@app.get("/key")
def key(api_key: str = Query("")) -> Page[ItemOut]:
    if api_key != "query-s3cret":
        raise HTTPException(403, "api_key is missing or wrong")
    return paginate(rows())


add_pagination(app)
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
