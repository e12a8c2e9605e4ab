"""The chain over HTTP on the specification's ports: beacon REST, Ethereum and engine JSON-RPC, DHT peers."""
