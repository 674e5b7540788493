"""The kernel's J1939 as units on one interface: peer.py INTERFACE ADDRESS...

Reads from its input      FROM TO GROUP LENGTH
and sends such a message; its byte at place n is n * 7 % 251. Writes
    ready                               it listens at all its addresses
    missing                             this Python has no J1939
    sent FROM                           delivered: acknowledged, or broadcast whole
    failed FROM                         given up by either side
    heard ADDRESS FROM GROUP BYTES      a message to the address or to everybody
Numbers are decimal, bytes hexadecimal. Ends with its input, or after five minutes.
"""

import os
import select
import signal
import socket
import struct
import sys

# linux/can/j1939.h, linux/net_tstamp.h, linux/errqueue.h
SOL_CAN_J1939, SO_J1939_ERRQUEUE, SCM_J1939_ERRQUEUE = 107, 4, 4
SO_TIMESTAMPING, OPT_ID, TX_ACK, SOFTWARE, OPT_CMSG, OPT_TSONLY = 37, 1 << 7, 1 << 9, 1 << 4, 1 << 10, 1 << 11
ORIGIN_LOCAL, ORIGIN_TIMESTAMPING = 1, 4
TX_ABORT, TSTAMP_ACK = 1, 2
LONGEST = 1 << 16


def unit(interface, address):
    one = socket.socket(socket.AF_CAN, socket.SOCK_DGRAM, socket.CAN_J1939)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    one.setsockopt(SOL_CAN_J1939, SO_J1939_ERRQUEUE, 1)
    reports = OPT_ID | TX_ACK | SOFTWARE | OPT_CMSG | OPT_TSONLY
    one.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, reports)
    one.bind((interface, socket.J1939_NO_NAME, socket.J1939_NO_PGN, address))
    return one


def say(*words):
    print(*words, flush=True)


def report(one, address):
    """What became of a message; reports of other things are read and passed over."""
    for level, kind, data in one.recvmsg(0, 4096, socket.MSG_ERRQUEUE)[1]:
        if (level, kind) == (SOL_CAN_J1939, SCM_J1939_ERRQUEUE):
            _, origin, info = struct.unpack_from("=IBxxxI", data)
            if (origin, info) == (ORIGIN_TIMESTAMPING, TSTAMP_ACK):
                say("sent", address)
            elif (origin, info) == (ORIGIN_LOCAL, TX_ABORT):
                say("failed", address)


if not hasattr(socket, "CAN_J1939"):
    sys.exit(say("missing"))
signal.alarm(300)
interface, addresses = sys.argv[1], [int(word) for word in sys.argv[2:]]
units = {address: unit(interface, address) for address in addresses}
poll = select.poll()
poll.register(0, select.POLLIN)
for one in units.values():
    poll.register(one, select.POLLIN)
say("ready")
while True:
    ready = dict(poll.poll())
    for address, one in units.items():
        events = ready.get(one.fileno(), 0)
        if events & select.POLLERR:
            report(one, address)
        elif events & select.POLLIN:
            data, (_, _, group, source) = one.recvfrom(LONGEST)
            say("heard", address, source, group, data.hex())
    if 0 in ready:
        # Each line comes whole: it is written at once, and short.
        lines = os.read(0, 4096).decode().splitlines()
        if not lines:
            break
        for line in lines:
            source, to, group, length = map(int, line.split())
            message = bytes(place * 7 % 251 for place in range(length))
            units[source].sendto(message, (interface, socket.J1939_NO_NAME, group, to))
