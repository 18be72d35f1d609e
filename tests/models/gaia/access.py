"""Roles and permissions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, String, Text, UniqueConstraint, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class AccessRole(Base):
    __tablename__ = "roles"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    name: Mapped[str] = mapped_column(String(100), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    type: Mapped[str] = mapped_column(String(50), server_default="custom")
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())


class Permission(Base):
    __tablename__ = "permissions"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_path: Mapped[str] = mapped_column(String(500))
    action: Mapped[str] = mapped_column(String(50))
    description: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    __table_args__ = (UniqueConstraint("resource_type", "resource_path", "action"),)


class RolePermission(Base):
    __tablename__ = "role_permissions"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    role_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("roles.id", ondelete="CASCADE"))
    permission_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("permissions.id", ondelete="CASCADE"))
    granted_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    __table_args__ = (UniqueConstraint("role_id", "permission_id"),)


class UserRole(Base):
    __tablename__ = "user_roles"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    user_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id", ondelete="CASCADE"))
    role_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("roles.id", ondelete="CASCADE"))
    context_type: Mapped[str] = mapped_column(String(50), server_default="global")
    context_id: Mapped[UUID | None] = mapped_column(Uuid)
    assigned_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    assigned_by: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("users.id"))
    __table_args__ = (
        Index("idx_user_roles_context_type_context_id", "context_type", "context_id"),
        Index("idx_user_roles_user_id", "user_id"),
    )


class ResourcePermission(Base):
    __tablename__ = "resource_permissions"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_id: Mapped[str] = mapped_column(String(500))
    principal_type: Mapped[str] = mapped_column(String(50))
    principal_id: Mapped[UUID] = mapped_column(Uuid)
    permissions: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default='["read"]')
    granted_by: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("users.id"))
    granted_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    expires_at: Mapped[datetime | None] = mapped_column(DateTime)
    __table_args__ = (
        UniqueConstraint("resource_type", "resource_id", "principal_type", "principal_id"),
        Index("idx_resource_permissions_expires_at", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("idx_resource_permissions_principal_type_principal_id", "principal_type", "principal_id"),
        Index("idx_resource_permissions_resource_type_resource_id", "resource_type", "resource_id"),
    )


class ResourceShare(Base):
    __tablename__ = "resource_shares"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    resource_type: Mapped[str] = mapped_column(String(50))
    resource_id: Mapped[str] = mapped_column(String(500))
    shared_by: Mapped[UUID] = mapped_column(Uuid, ForeignKey("users.id"))
    shared_with_type: Mapped[str] = mapped_column(String(50))
    shared_with_id: Mapped[UUID | None] = mapped_column(Uuid)
    permissions: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default='["read"]')
    expires_at: Mapped[datetime | None] = mapped_column(DateTime)
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.current_timestamp())
    __table_args__ = (
        UniqueConstraint("resource_type", "resource_id", "shared_with_type", "shared_with_id"),
        Index("idx_resource_shares_resource_type_resource_id", "resource_type", "resource_id"),
        Index("idx_resource_shares_shared_with_type_shared_with_id", "shared_with_type", "shared_with_id"),
    )
