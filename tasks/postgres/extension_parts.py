"""Which extension provides a type, an operator class or a function: well-known names that differ from the extension's."""

from __future__ import annotations

EXTENSION_PARTS = {
    "vector": "vector halfvec sparsevec hnsw ivfflat l2_distance cosine_distance inner_product",
    "postgis": "geometry geography box2d box3d raster",
    "citext": "citext",
    "hstore": "hstore",
    "ltree": "ltree lquery ltxtquery",
    "cube": "cube",
    "isn": "isbn isbn13 ean13 issn",
    "pg_trgm": "gin_trgm_ops gist_trgm_ops similarity word_similarity show_trgm",
    "pgcrypto": "crypt gen_salt digest hmac pgp_sym_encrypt pgp_sym_decrypt gen_random_bytes",
    "uuid-ossp": "uuid_generate_v1 uuid_generate_v1mc uuid_generate_v3 uuid_generate_v4 uuid_generate_v5 uuid_nil",
    "unaccent": "unaccent",
    "postgres_fdw": "postgres_fdw",
    "dblink": "dblink dblink_fdw",
    "http": "http http_header http_request http_response urlencode",
    "pg_net": "net",
    "btree_gist": "gist_int4_ops",
    "bloom": "bloom",
}
"""The types, access methods and functions of well-known extensions whose names differ from the extension's, from the manuals:
https://www.postgresql.org/docs/current/contrib.html, https://github.com/pgvector/pgvector, https://github.com/pramsey/pgsql-http
and https://github.com/supabase/pg_net"""


def find_provider(name: str) -> str:
    """Return the extension that provides an object of this name, or an empty text if none is known."""
    return next((extension for extension, parts in EXTENSION_PARTS.items() if name in parts.split()), "")
