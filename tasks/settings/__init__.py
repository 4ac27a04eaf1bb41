"""params.yaml as typed classes, a file a section."""
