"""Pages: bind one view-model to widgets each; no logic."""
