"""View-models: reduce engine events to frozen states and turn intents into engine calls. They know no Qt."""
