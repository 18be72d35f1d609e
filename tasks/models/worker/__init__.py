"""The program that imports models and writes their DDL: it is run by its path, and imports nothing above this folder."""
