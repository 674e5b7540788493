//! Frame sources: candump files, the virtual bus, SocketCAN.
