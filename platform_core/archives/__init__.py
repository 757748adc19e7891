"""Archives of plugins: everything that one plugin has in a deployment, taken out whole and put back whole."""
