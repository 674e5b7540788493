//! From spool to central over mutual TLS and HTTP/2; the feed of grants back.
