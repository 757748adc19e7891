"""The importers of education, one package per format."""
