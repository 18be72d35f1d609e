"""Assets, and where they come from."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    Numeric,
    String,
    Text,
    Uuid,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from .base import Base


class AssetSource(Base):
    __tablename__ = "asset_sources"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    source_type: Mapped[str] = mapped_column(String(50))
    source_name: Mapped[str] = mapped_column(String(100))
    api_endpoint: Mapped[str | None] = mapped_column(String(255))
    is_active: Mapped[bool | None] = mapped_column(Boolean, server_default=true())
    rate_limit_per_minute: Mapped[int | None] = mapped_column(Integer)
    requires_attribution: Mapped[bool | None] = mapped_column(Boolean, server_default=false())
    cost_per_request: Mapped[Decimal | None] = mapped_column(Numeric(10, 6), server_default=text("0.0"))
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())


class Asset(Base):
    __tablename__ = "assets"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    source_id: Mapped[int | None] = mapped_column(Integer, ForeignKey("asset_sources.id"))
    external_id: Mapped[str | None] = mapped_column(String(255))
    category: Mapped[str] = mapped_column(String(50))
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    style_tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    file_url: Mapped[str] = mapped_column(Text)
    storage_type: Mapped[str] = mapped_column(String(20))
    file_size_mb: Mapped[float | None] = mapped_column(Double)
    file_format: Mapped[str | None] = mapped_column(String(10))
    preview_image_url: Mapped[str | None] = mapped_column(Text)
    quality_score: Mapped[float | None] = mapped_column(Double, server_default=text("0.0"))
    download_count: Mapped[int | None] = mapped_column(Integer, server_default=text("0"))
    license_type: Mapped[str | None] = mapped_column(String(50))
    attribution_required: Mapped[bool | None] = mapped_column(Boolean, server_default=false())
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB, server_default="{}")
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    updated_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        CheckConstraint("category IN ('environment', 'character', 'prop', 'audio', 'texture', 'animation', 'image')"),
        CheckConstraint("license_type IN ('creative_commons', 'public_domain', 'custom', 'commercial', 'proprietary')"),
        CheckConstraint("quality_score >= 0 AND quality_score <= 1"),
        CheckConstraint("storage_type IN ('supabase', 'external', 'generated')"),
        Index("idx_assets_category", "category"),
        Index("idx_assets_category_created_at", "category", text("created_at DESC")),
        Index("idx_assets_category_quality_score", "category", text("quality_score DESC")),
        Index("idx_assets_created_at", text("created_at DESC")),
        Index("idx_assets_download_count", text("download_count DESC")),
        Index("idx_assets_license_type", "license_type"),
        Index("idx_assets_quality_score", text("quality_score DESC")),
        Index("idx_assets_source_id", "source_id"),
        Index("idx_assets_storage_type", "storage_type"),
    )


class AssetGeneration(Base):
    __tablename__ = "asset_generations"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    asset_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("assets.id", ondelete="CASCADE"))
    generation_prompt: Mapped[str] = mapped_column(Text)
    generation_service: Mapped[str] = mapped_column(String(50))
    generation_cost: Mapped[Decimal] = mapped_column(Numeric(10, 4))
    generation_time_ms: Mapped[int] = mapped_column(Integer)
    session_id: Mapped[str | None] = mapped_column(String(255))
    user_id: Mapped[str | None] = mapped_column(String(255))
    generation_metadata: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        Index("idx_asset_generations_asset_id", "asset_id"),
        Index("idx_asset_generations_session_id", "session_id"),
    )


class AssetModification(Base):
    __tablename__ = "asset_modifications"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    base_asset_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("assets.id", ondelete="CASCADE"))
    modified_asset_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("assets.id", ondelete="CASCADE"))
    modifications: Mapped[list[str]] = mapped_column(ARRAY(Text))
    modification_service: Mapped[str] = mapped_column(String(50))
    modification_cost: Mapped[Decimal] = mapped_column(Numeric(10, 4))
    modification_time_ms: Mapped[int] = mapped_column(Integer)
    session_id: Mapped[str | None] = mapped_column(String(255))
    user_id: Mapped[str | None] = mapped_column(String(255))
    modification_metadata: Mapped[dict[str, Any] | None] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        Index("idx_asset_modifications_base_asset_id", "base_asset_id"),
        Index("idx_asset_modifications_modified_asset_id", "modified_asset_id"),
    )


class AssetUsage(Base):
    __tablename__ = "asset_usage"
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.gen_random_uuid())
    asset_id: Mapped[UUID | None] = mapped_column(Uuid, ForeignKey("assets.id", ondelete="CASCADE"))
    user_id: Mapped[str | None] = mapped_column(String(255))
    session_id: Mapped[str | None] = mapped_column(String(255))
    usage_type: Mapped[str] = mapped_column(String(50))
    cost_incurred: Mapped[Decimal | None] = mapped_column(Numeric(10, 4), server_default=text("0.0"))
    details: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB, server_default="{}")
    created_at: Mapped[datetime | None] = mapped_column(DateTime, server_default=func.now())
    __table_args__ = (
        Index("idx_asset_usage_asset_id", "asset_id"),
        Index("idx_asset_usage_user_id", "user_id"),
    )
