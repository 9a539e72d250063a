"""The engine: store and revisions, transformations, importing, kernel, screening, tiles, rasters, export."""
