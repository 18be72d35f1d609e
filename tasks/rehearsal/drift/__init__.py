"""What was changed besides the migrations."""
