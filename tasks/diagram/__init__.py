"""A schema as a picture: its tables with their columns and foreign keys, as Mermaid in Markdown or as SVG."""
