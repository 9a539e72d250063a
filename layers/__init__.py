"""What the map holds, as data: layer definitions, rule packs, vocabularies, districts, and their models."""
