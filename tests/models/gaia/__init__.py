"""The models of the Gaia Platform, as an application of its own: they agree with migrations/."""

from . import access, assets, conversations, knowledge, people
from .base import Base

__all__ = ["Base", "access", "assets", "conversations", "knowledge", "people"]
