"""The statements of a generated migration, divided into files in an order that keeps out no one for long."""
