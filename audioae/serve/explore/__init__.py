"""The explorer: its page, and the endpoints that it needs beside those of the API."""
