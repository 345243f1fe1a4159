"""The protocols that the server speaks, each a plain ASGI application."""
