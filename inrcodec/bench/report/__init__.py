"""Results for people: tables, a plot, and a page with the pictures themselves."""
