"""Write a migration from the difference between the migrations of a checkout and a schema that is wanted."""
