"""The knowledge base."""

from datetime import datetime
from typing import Any

from pgvector.sqlalchemy import Vector
from sqlalchemy import (
    REAL,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSONB, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class KbDocument(Base):
    __tablename__ = "kb_documents"
    path: Mapped[str] = mapped_column(Text, primary_key=True)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    version: Mapped[int | None] = mapped_column(Integer, server_default=text("1"))
    locked_by: Mapped[str | None] = mapped_column(Text)
    locked_until: Mapped[datetime | None] = mapped_column(DateTime)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        CheckConstraint("length(path) > 0"),
        CheckConstraint("version > 0"),
        Index(
            "idx_kb_documents_content",
            text("to_tsvector('english'::regconfig, (document ->> 'content'::text))"),
            postgresql_using="gin",
        ),
        Index("idx_kb_documents_keywords", text("((document -> 'keywords'::text))"), postgresql_using="gin"),
        Index(
            "idx_kb_documents_locked_by_locked_until", "locked_by", "locked_until", postgresql_where=text("locked_by IS NOT NULL")
        ),
        Index("idx_kb_documents_metadata", text("((document -> 'metadata'::text))"), postgresql_using="gin"),
        Index("idx_kb_documents_path", "path", postgresql_ops={"path": "text_pattern_ops"}),
        Index("idx_kb_documents_updated_at", text("updated_at DESC")),
        Index("idx_kb_documents_version", "version"),
    )


class KbDocumentHistory(Base):
    __tablename__ = "kb_document_history"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[str] = mapped_column(Text, ForeignKey("kb_documents.path", ondelete="CASCADE"))
    version: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]] = mapped_column(JSONB)
    change_type: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[str | None] = mapped_column(Text)
    change_message: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        CheckConstraint("change_type IN ('create', 'update', 'delete', 'move')"),
        CheckConstraint("version > 0"),
        Index("idx_kb_document_history_changed_by_created_at", "changed_by", text("created_at DESC")),
        Index("idx_kb_document_history_created_at", text("created_at DESC")),
        Index("idx_kb_document_history_path_version", "path", text("version DESC")),
    )


class KbSearchIndex(Base):
    __tablename__ = "kb_search_index"
    path: Mapped[str] = mapped_column(Text, ForeignKey("kb_documents.path", ondelete="CASCADE"), primary_key=True)
    line_number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    content_excerpt: Mapped[str | None] = mapped_column(Text)
    search_vector: Mapped[str | None] = mapped_column(TSVECTOR)
    keywords: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        Index("idx_kb_search_index_keywords", "keywords", postgresql_using="gin"),
        Index("idx_kb_search_index_search_vector", "search_vector", postgresql_using="gin"),
    )


class KbContextCache(Base):
    __tablename__ = "kb_context_cache"
    context_name: Mapped[str] = mapped_column(Text, primary_key=True)
    file_paths: Mapped[list[str]] = mapped_column(ARRAY(Text))
    total_size: Mapped[int | None] = mapped_column(Integer, server_default=text("0"))
    keywords: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    entities: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    last_accessed: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    last_modified: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB, server_default="{}")
    __table_args__ = (
        CheckConstraint("length(context_name) > 0"),
        Index("idx_kb_context_cache_keywords", "keywords", postgresql_using="gin"),
        Index("idx_kb_context_cache_last_accessed", text("last_accessed DESC")),
    )


class KbPermission(Base):
    __tablename__ = "kb_permissions"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    resource_path: Mapped[str] = mapped_column(Text)
    resource_type: Mapped[str] = mapped_column(Text, server_default="file")
    principal_id: Mapped[str] = mapped_column(Text)
    principal_type: Mapped[str] = mapped_column(Text, server_default="user")
    permissions: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("ARRAY['read'::text]"))
    granted_by: Mapped[str | None] = mapped_column(Text)
    granted_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    expires_at: Mapped[datetime | None] = mapped_column(DateTime)
    __table_args__ = (
        CheckConstraint("permissions <@ ARRAY['read', 'write', 'share', 'admin']"),
        CheckConstraint("principal_type IN ('user', 'team', 'public')"),
        UniqueConstraint("resource_path", "principal_id", "principal_type"),
        CheckConstraint("resource_type IN ('file', 'directory', 'context')"),
        Index("idx_kb_permissions_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("idx_kb_permissions_principal_id_principal_type", "principal_id", "principal_type"),
        Index("idx_kb_permissions_resource_path_resource_type", "resource_path", "resource_type"),
    )


class KbActivityLog(Base):
    __tablename__ = "kb_activity_log"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    action: Mapped[str] = mapped_column(Text)
    resource_path: Mapped[str | None] = mapped_column(Text)
    resource_type: Mapped[str | None] = mapped_column(Text, server_default="file")
    actor_id: Mapped[str | None] = mapped_column(Text)
    actor_type: Mapped[str | None] = mapped_column(Text, server_default="user")
    details: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default="{}")
    ip_address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        CheckConstraint("action IN ('create', 'read', 'update', 'delete', 'search', 'share', 'move')"),
        Index("idx_kb_activity_log_actor_id_created_at", "actor_id", text("created_at DESC")),
        Index("idx_kb_activity_log_created_at", text("created_at DESC")),
        Index("idx_kb_activity_log_resource_path_action", "resource_path", "action"),
    )


class KbSemanticIndexMetadata(Base):
    __tablename__ = "kb_semantic_index_metadata"
    relative_path: Mapped[str] = mapped_column(Text, nullable=False)
    namespace: Mapped[str] = mapped_column(Text, nullable=False)
    mtime: Mapped[float] = mapped_column(REAL)
    num_chunks: Mapped[int] = mapped_column(Integer)
    last_indexed: Mapped[datetime] = mapped_column(DateTime, server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        PrimaryKeyConstraint("namespace", "relative_path"),
        Index("idx_kb_semantic_index_metadata_last_indexed", "last_indexed"),
        Index("idx_kb_semantic_index_metadata_namespace", "namespace"),
        Index("idx_kb_semantic_index_metadata_namespace_mtime", "namespace", "mtime"),
    )


class KbSemanticChunkId(Base):
    __tablename__ = "kb_semantic_chunk_ids"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    relative_path: Mapped[str] = mapped_column(Text)
    chunk_id: Mapped[str] = mapped_column(Text, unique=True)
    chunk_index: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(DateTime, server_default=func.now())
    chunk_text: Mapped[str | None] = mapped_column(Text)
    embedding: Mapped[list[float] | None] = mapped_column(Vector(384))
    namespace: Mapped[str] = mapped_column(Text)
    __table_args__ = (
        ForeignKeyConstraint(
            ["namespace", "relative_path"],
            ["kb_semantic_index_metadata.namespace", "kb_semantic_index_metadata.relative_path"],
            ondelete="CASCADE",
        ),
        Index("idx_kb_semantic_chunk_ids_chunk_id", "chunk_id"),
        Index("idx_kb_semantic_chunk_ids_namespace", "namespace"),
        Index("idx_kb_semantic_chunk_ids_namespace_relative_path", "namespace", "relative_path"),
        Index("idx_kb_semantic_chunk_ids_relative_path", "relative_path"),
        Index("idx_kb_semantic_chunk_ids_relative_path1", "relative_path"),
        Index("idx_kb_semantic_chunk_ids_relative_path_chunk_index", "relative_path", "chunk_index"),
    )
