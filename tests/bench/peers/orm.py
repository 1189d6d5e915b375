"""The reference: posts served in the usual way, with FastAPI, SQLAlchemy's ORM and pydantic.

    python orm.py URL PORT

It runs in an environment of its own, without our code, and reads the same table.
"""

import sys
from collections.abc import Iterator
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, Text, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Model(DeclarativeBase):
    """The base of the mapped classes."""


class Post(Model):
    """A post as it is stored."""

    __tablename__ = "d_posts"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger)
    title: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)


class PostOut(BaseModel):
    """A post as it is shown."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    user_id: int
    title: str
    body: str


class Page(BaseModel):
    """Some posts, and how many."""

    data: list[PostOut]
    count: int


url = sys.argv[1].replace("postgresql://", "postgresql+psycopg://")
engine = create_engine(url)
sessions = sessionmaker(engine)
app = FastAPI()


def session() -> Iterator[Session]:
    """Open a session for a request."""
    with sessions() as opened:
        yield opened


@app.get("/data")
def posts(
    opened: Annotated[Session, Depends(session)],
    user_id: int | None = None,
    limit: int = 100,
) -> Page:
    """Return the posts of one user, or the first ones."""
    wanted = select(Post).order_by(Post.id).limit(limit)
    if user_id is not None:
        wanted = wanted.where(Post.user_id == user_id)
    found = [PostOut.model_validate(post) for post in opened.scalars(wanted)]
    return Page(data=found, count=len(found))


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[2]), http="httptools", loop="uvloop", lifespan="off",
        access_log=False, log_config=None,
    )  # fmt: skip
