"""The ground floor: variables, the scope that lends them values, symbols, graphs and layers."""
