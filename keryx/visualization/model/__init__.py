"""Pictures of models: `picture` reads a model, `layout` gives it places, `svg`, `page`, `raster` and `dot` write it."""
