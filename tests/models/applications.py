"""Modules of an application with models, for a test."""

from pathlib import Path

BASE = """\
from sqlalchemy import *
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass
"""
USER = """\
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
"""
POST = """\
class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[int] = mapped_column(ForeignKey("users.id"))
"""
USERS_SQL = "CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL CONSTRAINT one_user UNIQUE);"
POSTS_SQL = "CREATE TABLE posts (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, author int NOT NULL REFERENCES users);"


def write_module(folder: Path, name: str, text: str) -> None:
    """Write a module, whose name may have dots, with its packages."""
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
