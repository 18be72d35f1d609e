"""Personas and conversations."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, DateTime, ForeignKey, Index, Integer, String, Text, Uuid, func, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class Persona(Base):
    __tablename__ = "personas"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str] = mapped_column(Text)
    system_prompt: Mapped[str] = mapped_column(Text)
    personality_traits: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default="{}")
    capabilities: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default="{}")
    is_active: Mapped[bool | None] = mapped_column(Boolean, server_default=true())
    created_by: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    __table_args__ = (
        Index("idx_personas_created_by", "created_by"),
        Index("idx_personas_is_active", "is_active"),
        Index("idx_personas_name", "name"),
    )


class UserPersonaPreference(Base):
    __tablename__ = "user_persona_preferences"
    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    persona_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("personas.id", ondelete="CASCADE"))
    updated_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    __table_args__ = (Index("idx_user_persona_preferences_persona_id", "persona_id"),)


class Conversation(Base):
    __tablename__ = "conversations"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"))
    title: Mapped[str] = mapped_column(String(255), server_default="New Conversation")
    preview: Mapped[str | None] = mapped_column(Text)
    is_active: Mapped[bool | None] = mapped_column(Boolean, server_default=true())
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    __table_args__ = (
        Index("idx_conversations_created_at", "created_at"),
        Index("idx_conversations_is_active", "is_active"),
        Index("idx_conversations_user_id", "user_id"),
    )


class ChatMessage(Base):
    __tablename__ = "chat_messages"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id"))
    conversation_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("conversations.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(String(50))
    content: Mapped[str] = mapped_column(Text)
    model: Mapped[str | None] = mapped_column(String(100))
    provider: Mapped[str | None] = mapped_column(String(50))
    tokens_used: Mapped[int | None] = mapped_column(Integer)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    __table_args__ = (
        Index("idx_chat_messages_conversation_id", "conversation_id"),
        Index("idx_chat_messages_created_at", "created_at"),
        Index("idx_chat_messages_user_id", "user_id"),
    )
