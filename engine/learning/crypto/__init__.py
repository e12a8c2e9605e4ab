"""Keys and signatures: BLS12-381 for what adds up, Ed25519 for records in the DHT, EIP-2333 to derive them."""
